"""Files that people have in place of a model: read, or named with what to do."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from predictor.cli.main import run
from predictor.errors import ModelError
from predictor.model.builder import ModelBuilder
from predictor.model.device.device_model import device_model
from predictor.model.tflite_reader import load_bytes, read_graph
from predictor.model.tflite_writer import write_model
from predictor.prediction import predict


def _model() -> bytes:
    builder = ModelBuilder("m")
    builder.output(builder.fully_connected(builder.input((1, 16)), 8))
    return builder.build()


MODEL = _model()


def _array(form: str, head: str = "const unsigned char g_model[] = ") -> str:
    starts = range(0, len(MODEL), 12)
    rows = [", ".join(form.format(byte) for byte in MODEL[i : i + 12]) for i in starts]
    return f"{head}{{\n  " + ",\n  ".join(rows) + "};\n"


def _zip(names: tuple[str, ...]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return stream.getvalue()


READ: dict[str, bytes] = {
    "model.cc": ('#include "model.h"\nalignas(16) ' + _array("0x{:02x}")).encode(),
    "model.c": ("/* {1, 2} */ // {3}\n" + _array("{}", "unsigned char m[] = ")).encode(),
    "model.h": (
        "#ifndef M_H\nconst int kLabels[] = {1, 2, 3};\n"
        + _array("0X{:X}", "alignas(8) const unsigned char model[] PROGMEM = ")
        + "const unsigned int model_len = 5;\n#endif\n"
    ).encode("utf-8-sig"),
    "model.tflite.gz": gzip.compress(MODEL),
    "model.h.gz": gzip.compress(_array("0x{:02x}").encode()),
}


@pytest.mark.parametrize("name", READ)
def test_models_in_other_forms_are_read(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(READ[name])
    assert load_bytes(path) == MODEL
    assert run([str(path)]) == 0
    assert "FITS" in capsys.readouterr().out


def test_metadata_behind_the_model_does_no_harm(tmp_path: Path) -> None:
    """TensorFlow Lite's metadata are a zip archive behind the flatbuffer."""
    path = tmp_path / "m.tflite"
    path.write_bytes(MODEL + _zip(("labels.txt",)))
    assert predict(path).arena.used_bytes == predict(MODEL).arena.used_bytes


NAMED: dict[str, tuple[str, bytes, str]] = {
    "Git LFS": (
        "m.tflite",
        b"version https://git-lfs.github.com/spec/v1\noid 0\n",
        "git lfs pull",
    ),
    "HTML": ("m.tflite", b"\n <!DOCTYPE html><html>", "download the raw file"),
    "Keras .h5": ("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(64), "load_model('m.h5')"),
    "Keras .keras": ("m.keras", _zip(("config.json", "model.weights.h5")), "load_model('m.keras')"),
    "PyTorch": ("m.pt", _zip(("m/data.pkl",)), "litert-torch"),
    "zipped model": ("m.zip", _zip(("a/b.tflite",)), "name the .tflite file in it: a/b.tflite"),
    "other zip": ("m.zip", _zip(("a.txt",)), "without a .tflite file"),
    "ONNX": ("m.onnx", b"\x08\x07\x12\x07pytorch" + bytes(32), "onnx2tf -i m.onnx"),
    "SavedModel": ("saved_model.pb", b"\x08\x01" + bytes(64), "from_saved_model('.')"),
    "graph": ("m.pb", b"\x0a\x01" + bytes(64), "frozen TensorFlow graph"),
    "array of another": ("m.cc", b"int t[] = {" + b"1, " * 40 + b"2};", "none of its arrays"),
    "damaged gzip": ("m.gz", gzip.compress(MODEL)[:40], "damaged gzip file"),
    "gzip in gzip": ("m.gz", gzip.compress(gzip.compress(MODEL)), "unpack it first"),
}


@pytest.mark.parametrize("kind", NAMED)
def test_other_files_are_named_in_one_line(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name, content, words = NAMED[kind]
    Path(name).write_bytes(content)
    assert run([name]) == 1
    message = capsys.readouterr().err
    assert words in message
    assert message.startswith(f"predict: {name}: ")
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (("saved_model.pb", "variables"), "from_saved_model('folder')"),
        (("b.tflite", "a.tflite"), "name a model in it: a.tflite"),
        ((), "not a model file"),
    ],
)
def test_folders_are_named(
    files: tuple[str, ...],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    for name in files:
        (Path("folder") / name).touch()
    assert run(["folder"]) == 1
    assert words in capsys.readouterr().err


def test_a_gzip_file_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.gz"
    path.write_bytes(gzip.compress(bytes(100_000)))
    monkeypatch.setattr("predictor.model.tflite_reader.MAX_FILE_BYTES", 50_000)
    with pytest.raises(ModelError, match="unpack it first"):
        load_bytes(path)


def test_device_models_are_known_by_their_operators(tmp_path: Path) -> None:
    """The kernel set follows from the file, unless it is given."""
    content = write_model(device_model(read_graph(MODEL)))
    found = predict(content)
    assert found.revision.kernels == "mn"
    assert found.arena.used_bytes == predict(content, kernels="mn").arena.used_bytes
    assert predict(MODEL).revision.kernels == "cmsis_nn"
