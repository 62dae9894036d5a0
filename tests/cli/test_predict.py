"""``predict MODEL`` through its command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import jsonschema
import pytest

from predictor import prediction as prediction_module
from predictor.boards.board import shipped_boards
from predictor.cli.main import run
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import ds_cnn

SCHEMA = json.loads(
    (Path(prediction_module.__file__).parent / "report" / "prediction.schema.json").read_text()
)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "ds_cnn.tflite"
    path.write_bytes(ds_cnn().build())
    return path


def predict_json(arguments: Sequence[object], capsys: pytest.CaptureFixture[str]) -> object:
    code = run([*map(str, arguments), "--format", "json"])
    printed = json.loads(capsys.readouterr().out)
    jsonschema.validate(printed, SCHEMA)
    return code, printed


def test_text_report_says_the_verdict_first(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([str(model), "--board", "f446re"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("FITS  ds_cnn.tflite on ST NUCLEO-F446RE")
    assert len(lines) <= 45


def test_options_may_stand_before_the_model(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--board", "f446re", str(model)]) == 0
    assert "F446RE" in capsys.readouterr().out


def test_json_follows_its_schema(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = predict_json([model], capsys)
    assert code == 0
    assert printed["fits"] is True
    arena = printed["arena"]
    assert arena["used_bytes"] == arena["nonpersistent_bytes"] + arena["persistent_bytes"]
    assert arena["required_bytes"] % 16 == 0
    assert arena["required_bytes"] >= arena["used_bytes"]
    assert sum(arena["persistent_by_kind"].values()) == arena["persistent_bytes"]
    assert printed["flash"]["model_bytes"] == model.stat().st_size
    assert printed["model"]["operator_count"] == len(printed["layers"])
    assert printed["ops"]["total_ops"] == 2 * printed["ops"]["total_macs"]


def test_all_boards(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = predict_json([model, "--board", "all"], capsys)
    assert code == 0
    names = [item["board"]["name"] for item in printed["predictions"]]
    assert names == [board.name for board in shipped_boards()]
    assert run([str(model), "--board", "all"]) == 0
    assert "f767zi" in capsys.readouterr().out
    assert run([str(model), "--board", "all", "--format", "markdown"]) == 0
    assert "| f446re | fits |" in capsys.readouterr().out


def test_a_model_that_does_not_fit_exits_with_3(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = predict_json([model, "--board", "f446re", "--reserve-ram", "120KB"], capsys)
    assert code == 3
    assert printed["fits"] is False
    assert printed["sram"]["margin_bytes"] < 0
    assert any("larger board" in remedy for remedy in printed["remedies"])


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--max-arena", "1KB", "max-arena"),
        ("--max-flash", "10KB", "max-flash"),
        ("--max-macs", "0.1M", "max-macs"),
    ],
)
def test_broken_budgets_are_named(
    model: Path, option: str, value: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([str(model), option, value]) == 3
    printed = capsys.readouterr()
    assert word in printed.err
    assert f"over budget  {word}" in printed.out
    assert run([str(model), option, "100M"]) == 0


def test_reserves_and_resolver_add_up(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, plain = predict_json([model], capsys)
    _, full = predict_json(
        [model, "--resolver", "all", "--reserve-flash", "64KB", "--reserve-ram", "1K"], capsys
    )
    assert full["flash"]["code_bytes"] > plain["flash"]["code_bytes"]
    assert full["flash"]["reserve_bytes"] == 65536
    assert full["flash"]["total_bytes"] - 65536 - full["flash"]["code_bytes"] == (
        plain["flash"]["total_bytes"] - plain["flash"]["code_bytes"]
    )
    assert full["sram"]["reserve_bytes"] == 1024


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_output_goes_to_a_file(
    model: Path, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "report"
    assert run([str(model), "--format", form, "--output", str(target), "--per-layer"]) == 0
    assert capsys.readouterr().out == ""
    assert "CONV_2D" in target.read_text()
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing.tflite"], 1, "no such file: missing.tflite"),
        (["."], 1, "is a directory"),
        (["{model}", "--board", "f747zg"], 2, "did you mean f746zg"),
        (["{model}", "--board", "none.toml"], 2, "no board file none.toml"),
        (["{model}", "--tflm", "1999.01"], 2, "unknown TFLM revision '1999.01'"),
        (["{model}", "--kernels", "mine"], 2, "no kernel set 'mine'"),
        (["{model}", "--reserve-ram", "much"], 2, "'much' is no size"),
        (["{model}", "--resolver", "some"], 2, "--resolver"),
        (["{model}", "--format", "xml"], 2, "--format"),
        (["{model}", "--wrong"], 2, "--wrong"),
        (["{model}", "--output", "/nowhere/report"], 1, "cannot write /nowhere/report"),
    ],
)
def test_errors_are_clear_and_have_their_code(
    arguments: list[str], code: int, message: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([argument.format(model=model) for argument in arguments]) == code
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("model.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        ("model.onnx", b"\x08\x08\x12\x04tf2o" + bytes(100), "ONNX"),
        ("empty.tflite", b"", "empty"),
    ],
)
def test_foreign_files_get_one_line_and_a_json_error(
    tmp_path: Path, name: str, content: bytes, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert run([str(path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert word in line
    code, printed = predict_json([path], capsys)
    assert code == 1
    assert printed["error"]["kind"] == "ModelError"
    assert word in printed["error"]["message"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_directories(model: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert run([str(model), "--output", str(tmp_path / "report")]) == 1


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "predictor.cli.main", *map(str, arguments)]


def test_a_reader_that_leaves_is_no_error(model: Path) -> None:
    with subprocess.Popen(
        _command(model, "--format", "json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 0


def test_interrupt_exits_with_130(tmp_path: Path) -> None:
    """A pipe that nobody writes to keeps the reader waiting, so that the signal meets it there."""
    script = (
        "import predictor.cli.main as m, predictor.cli.model as c, time\n"
        "c.predict = lambda *a, **k: (print('ready', flush=True), time.sleep(60))\n"
        "m.main(['x.tflite'])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr.read().strip() == "interrupted"


def test_boards_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["boards"]) == 0
    assert "f446re" in capsys.readouterr().out
    assert run(["boards", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"f446re", "f746zg", "f767zi"} <= {row["name"] for row in rows}
    assert [row["name"] for row in rows] == [board.name for board in shipped_boards()]


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    assert "check" in capsys.readouterr().out
    assert run(["model", "--help"]) == 0
    assert "--max-arena" in capsys.readouterr().out
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("predict 0.")


def test_models_whose_operators_fail_are_failures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """int8 MEAN under the packaged TFLM of 2020 prepares, but returns an error when it runs."""
    builder = ModelBuilder("mean")
    builder.output(builder.mean(builder.input((1, 4, 4, 8)), (1, 2)))
    path = tmp_path / "mean.tflite"
    path.write_bytes(builder.build())
    options = ["--tflm", "2020.07", "--kernels", "reference"]
    for board in ("f446re", "all"):
        assert run([str(path), "--board", board, *options]) == 1
        assert "Invoke will fail: operator 0 (MEAN)" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "count"), [("float32", 1), ("int8", 0)])
def test_weights_of_floats_should_be_quantised(kind: str, count: int) -> None:
    builder = ModelBuilder("m")
    builder.output(builder.fully_connected(builder.input((1, 64), kind), 64))
    notes = [
        note
        for note in prediction_module.predict(builder.build()).notes
        if "quantise to int8" in note
    ]
    assert len(notes) == count
    assert all(f"{64 * 64 * 4:,} bytes" in note for note in notes)


def test_quiet_says_only_what_breaks(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(model), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert run([str(model), "--quiet", "--max-macs", "1"]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "max-macs" in printed.err
    assert run([str(model), "-q", "--reserve-ram", "1MB"]) == 3
    assert "does not fit" in capsys.readouterr().err
