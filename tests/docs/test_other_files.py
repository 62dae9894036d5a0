"""docs/howto/other-files.md: each wrong input gets the one line that the page says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from predictor.cli.main import run
from predictor.model.builder import ModelBuilder
from predictor.model.builder.tensors import range_quantization
from predictor.model.graph import Quantization, TensorType
from tests.unit.test_containers import NAMED

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "other-files.md"
ROWS = dict(re.findall(r"^\| ([^|]+) \| `([^|]+)` \|$", PAGE.read_text(), re.MULTILINE))


def _custom(code: str) -> bytes:
    builder = ModelBuilder("m")
    x = builder.input((4,))
    builder.output(*builder.operator(code, [x], [((4,), "int8")], is_custom=True))
    return builder.build()


def _dense(input: str, weights: str) -> bytes:
    builder = ModelBuilder("m")
    kind = TensorType[input.upper()]
    x = builder.input((1, 4), input, quantization=range_quantization(kind, -1, 1))
    q = Quantization((0.02,), (0,)) if "int" in weights else None
    w = builder.constant(np.ones((3, 4)), weights, quantization=q)
    output = ((1, 3), input, range_quantization(kind, -1, 1))
    builder.output(*builder.operator("FULLY_CONNECTED", [x, w, None], [output], {}))
    return builder.build()


def _later() -> bytes:
    builder = ModelBuilder("m")
    builder.output(builder.transpose(builder.input((2, 3)), (1, 0)))
    return builder.build()


def _folder() -> None:
    Path("m").mkdir()
    Path("m/saved_model.pb").touch()


REFUSED: Mapping[str, Callable[[], bytes]] = {
    "uint8 quantisation of TensorFlow 1": lambda: _dense("uint8", "uint8"),
    "float16 weights": lambda: _dense("float32", "float16"),
    "dynamic-range quantisation": lambda: _dense("float32", "int8"),
    "select TensorFlow operators (Flex)": lambda: _custom("FlexErf"),
    "compiled by Vela for an Ethos-U": lambda: _custom("ethos-u"),
    "compiled for a Coral Edge TPU": lambda: _custom("edgetpu-custom-op"),
    "binary layers of Larq": lambda: _custom("LceBconv2d"),
    "GRU or loop over a list of tensors": lambda: _custom("FlexTensorListReserve"),
    "operator that a later TFLM has": _later,
}
FILES = {
    "Git LFS pointer": "Git LFS",
    "page of a web site": "HTML",
    "Keras `.h5`": "Keras .h5",
    "Keras `.keras`": "Keras .keras",
    "ONNX": "ONNX",
    "PyTorch": "PyTorch",
    "frozen graph": "graph",
    "zip archive": "zipped model",
    "damaged gzip file": "damaged gzip",
    "source code without a model": "array of another",
}


def _given(kind: str) -> list[str]:
    """Writes the input of a row; the arguments that name it."""
    if kind in REFUSED:
        Path("m.tflite").write_bytes(REFUSED[kind]())
        is_later = kind.startswith("operator")
        return ["m.tflite", *(["--tflm", "2020.07"] if is_later else [])]
    if kind.startswith("folder"):
        _folder()
        return ["m"]
    name, content, _ = NAMED[FILES[kind]]
    Path(name).write_bytes(content)
    return [name]


def test_the_page_has_all_kinds() -> None:
    assert ROWS.keys() == {*REFUSED, *FILES, "folder of a SavedModel"}


@pytest.mark.parametrize("kind", ROWS)
def test_each_gets_the_line_of_the_page(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(_given(kind)) == 1
    message = capsys.readouterr().err
    assert ROWS[kind] in message
    assert message.count("\n") == 1
