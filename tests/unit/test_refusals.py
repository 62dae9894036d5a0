"""Refusals: all reasons in one run, each with what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import predictor.report
from predictor.cli.main import run
from predictor.cost.refused_model import refused_model
from predictor.errors import RefusedError
from predictor.model.builder import ModelBuilder
from predictor.model.builder.tensors import range_quantization
from predictor.model.graph import Graph, Quantization, TensorType
from predictor.prediction import predict, predict_graph
from tests.fuzz.operators import models

SCHEMA = Path(predictor.report.__path__[0]) / "prediction.schema.json"


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
    for words in ("a square as MUL", "replace it by operators", "BROADCAST_TO"):
        assert str(caught.value).count(words) == 1
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
        ("FlexTensorListReserve", "unroll=True"),
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


@pytest.mark.parametrize("name", ["RNN", "LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM"])
def test_recurrent_operators_that_tflm_lacks(name: str) -> None:
    builder = ModelBuilder("m")
    x = builder.input((4,), "float32")
    builder.output(*builder.operator(name, [x, x], [((4,), "float32")], None))
    with pytest.raises(RefusedError, match="unroll=True"):
        predict(builder.build())


def test_every_refusal_has_advice() -> None:
    """Of all single operators, with another type, rank or constant than TFLM takes."""
    refused: list[RefusedError] = []
    for graph in models():
        for changed in _mistaken(graph):
            try:
                predict_graph(changed)
            except RefusedError as error:
                refused += [error, *error.more]
    assert len(refused) > 200
    assert not [item.words for item in refused if not item.advice]


def _mistaken(graph: Graph) -> Iterator[Graph]:
    main = graph.main
    changes: list[dict[str, Any]] = [{"type": kind} for kind in _WRONG_TYPES]
    changes += [{"shape": (1, 1, 2, 1, 2)}, {"data": None}]
    for index in {*main.operators[0].inputs, *main.operators[0].outputs} - {-1}:
        for change in changes:
            tensors = list(main.tensors)
            tensors[index] = replace(tensors[index], **change)
            yield replace(graph, subgraphs=(replace(main, tensors=tuple(tensors)),))


_WRONG_TYPES = (TensorType.UINT8, TensorType.FLOAT16, TensorType.FLOAT64, TensorType.INT64)


def _half_refused() -> tuple[bytes, bytes]:
    """A network with one operator that TFLM lacks, and the same without it."""
    made = []
    for is_whole in (True, False):
        builder = ModelBuilder("m")
        x = builder.fully_connected(builder.input((1, 16), "float32"), 32)
        if is_whole:
            (x,) = builder.operator("GELU", [x], [((1, 32), "float32")], {})
        builder.output(builder.fully_connected(x, 8))
        made.append(builder.build())
    return made[0], made[1]


def test_the_rest_of_a_refused_model_has_figures() -> None:
    refused, whole = _half_refused()
    with pytest.raises(RefusedError) as caught:
        predict(refused)
    found, known = refused_model(caught.value), predict(whole)
    assert found is not None
    assert (found.prepared_operators, found.operators) == (2, 3)
    assert found.macs == known.ops.total_macs
    assert found.weight_bytes == sum(layer.weight_bytes for layer in known.layers)
    assert found.planned_bytes == 2 * 128  # input and output of the refused operator
    assert found.persistent_bytes is not None
    assert 0 < found.persistent_bytes - known.arena.persistent_bytes < 100


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_reports_label_what_is_known_of_the_rest(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(_half_refused()[0])
    assert run([str(path), "--format", form]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    if form == "json":
        found = json.loads(printed.out)
        jsonschema.validate(found, json.loads(SCHEMA.read_text()))
        assert found["error"]["rest"]["exact"] is False
        assert found["error"]["rest"]["macs"] == 16 * 32 + 32 * 8
    else:
        assert "2 of its 3 operators" in printed.out
        assert printed.out.count("not exact") == 2
        assert "exact;" not in printed.out
    assert run([str(path), "--quiet"]) == 1
    assert capsys.readouterr().out == ""


def test_nothing_is_said_of_a_model_at_which_tflm_does_not_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = ModelBuilder("m")
    builder.metadata("OfflineMemoryAllocation", np.array([1, 0, 9], np.int32).tobytes())
    builder.output(builder.relu(builder.input((4,), "float32")))
    path = tmp_path / "m.tflite"
    path.write_bytes(builder.build())
    assert run([str(path), "--output", str(tmp_path / "report")]) == 1
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "report").exists()


def test_control_flow_that_leads_nowhere() -> None:
    """A WHILE whose body is no subgraph: its rounds cannot be followed."""
    builder = ModelBuilder("m")
    x, go = builder.input((4,), "float32"), builder.input((1,), "bool")
    condition = builder.subgraph("cond")
    condition.input((4,), "float32")
    condition.output(condition.input((1,), "bool"))
    options = {"cond_subgraph_index": condition.index, "body_subgraph_index": 9}
    outputs = [((4,), "float32"), ((1,), "bool")]
    builder.output(*builder.operator("WHILE", [x, go], outputs, options))
    with pytest.raises(RefusedError) as caught:
        predict(builder.build())
    found = refused_model(caught.value)
    assert found is not None
    assert found.prepared_operators == 0
