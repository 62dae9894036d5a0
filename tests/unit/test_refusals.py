"""Refusals: all reasons in one run, each with what to do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from predictor.cli.main import run
from predictor.errors import RefusedError
from predictor.model.builder import ModelBuilder
from predictor.model.builder.tensors import range_quantization
from predictor.model.graph import Quantization, TensorType
from predictor.prediction import predict


def _missing() -> bytes:
    """Three operators that TFLM lacks, each on the input."""
    builder = ModelBuilder("many")
    x = builder.input((4,), "float32")
    for name in ("POW", "ATAN2", "TILE"):
        builder.output(*builder.operator(name, [x, x], [((4,), "float32")], None))
    return builder.build()


def test_all_operators_that_are_missing_are_named() -> None:
    with pytest.raises(RefusedError) as caught:
        predict(_missing())
    for index, name in enumerate(("POW", "ATAN2", "TILE")):
        assert f"operator {index} ({name}): it has no such operator" in str(caught.value)
    assert str(caught.value).count("replace it by operators") == 3
    assert "\n" not in str(caught.value)


def test_json_lists_all_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(_missing())
    assert run([str(path), "--format", "json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["error"]["reasons"]) == 3


def test_what_follows_from_a_refusal_is_not_told_again() -> None:
    builder = ModelBuilder("m")
    x = builder.input((4,), "float32")
    (y,) = builder.operator("POW", [x, x], [((4,), "float32")], None)
    (z,) = builder.operator("TILE", [y, y], [((4,), "int8")], None)
    builder.output(*builder.operator("RELU", [z], [((4,), "float32")], None))
    with pytest.raises(RefusedError) as caught:
        predict(builder.build())
    assert [item.operator for item in (caught.value, *caught.value.more)] == ["POW", "TILE"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ethos-u", "as it was before Vela"),
        ("edgetpu-custom-op", "Coral Edge TPU"),
        ("FlexErf", "SELECT_TF_OPS"),
        ("LceBconv2d", "Larq"),
        ("Mine", "register a kernel of your own"),
    ],
)
def test_custom_operators_are_explained(code: str, words: str) -> None:
    builder = ModelBuilder("m")
    x = builder.input((4,))
    builder.output(*builder.operator(code, [x], [((4,), "int8")], is_custom=True))
    with pytest.raises(RefusedError, match=words):
        predict(builder.build())


def _dense(input: str, weights: str) -> bytes:
    builder = ModelBuilder("m")
    q = Quantization((0.02,), (0,))
    kind = TensorType[input.upper()]
    x = builder.input((1, 4), input, quantization=range_quantization(kind, -1, 1))
    w = builder.constant(np.ones((3, 4)), weights, quantization=q if "int" in weights else None)
    output = ((1, 3), input, range_quantization(kind, -1, 1))
    builder.output(*builder.operator("FULLY_CONNECTED", [x, w, None], [output], {}))
    return builder.build()


@pytest.mark.parametrize(
    ("input", "weights", "words"),
    [
        ("uint8", "uint8", "a quantisation of TensorFlow 1: quantise to int8"),
        ("float32", "int8", "dynamic-range quantisation: quantise to int8"),
        ("float32", "float16", "float16 weights: convert without them"),
    ],
)
def test_types_that_tflm_does_not_take(input: str, weights: str, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        predict(_dense(input, weights))


def test_operators_of_a_later_tflm() -> None:
    builder = ModelBuilder("m")
    builder.output(builder.transpose(builder.input((2, 3)), (1, 0)))
    with pytest.raises(RefusedError, match=r"TFLM 2026\.08 has it"):
        predict(builder.build(), tflm="2020.07", kernels="reference")
