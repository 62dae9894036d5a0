"""Shapes in the file that contradict the operators: placeholders of a dynamic batch or size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.cli.main import run
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import EXAMPLE_MODELS
from predictor.model.graph import Graph
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_reader import read_graph
from predictor.prediction import predict
from predictor.semantics.shape_rules import rule_of
from predictor.semantics.shapes import contradictions
from tests.shared_data import MODELS, needs_shared


def _space_to_batch(stored: tuple[int, ...]) -> ModelBuilder:
    builder = ModelBuilder("s2b")
    x = builder.input((1, 8, 8, 1), "float32")
    sizes = builder.constant(np.array([2, 2], np.int32))
    edges = builder.constant(np.zeros((2, 2), np.int32))
    (y,) = builder.operator("SPACE_TO_BATCH_ND", [x, sizes, edges], [(stored, "float32")], {})
    builder.output(y)
    return builder


def test_a_batch_that_is_too_small_is_found() -> None:
    (found,) = contradictions(_space_to_batch((1, 4, 4, 1)).graph())
    assert (found.stored, found.given) == ((1, 4, 4, 1), (4, 4, 4, 1))
    assert found.tensor == "space_to_batch_nd_0"
    assert not list(contradictions(_space_to_batch((4, 4, 4, 1)).graph()))


def test_the_report_warns_and_strict_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(_space_to_batch((1, 4, 4, 1)).build())
    assert "results may be WRONG" in predict(path).notes[0]
    assert run([str(path)]) == 0
    assert "space_to_batch_nd_0" in capsys.readouterr().out
    assert run([str(path), "--strict"]) == 1
    assert "gives [4, 4, 4, 1]" in capsys.readouterr().err
    path.write_bytes(_space_to_batch((4, 4, 4, 1)).build())
    assert run([str(path), "--strict"]) == 0
    capsys.readouterr()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_models_as_they_are_built_have_none(seed: int) -> None:
    assert not list(contradictions(random_graph(seed, max_operators=30).graph()))


def _placeholder(graph: Graph, index: int) -> Graph:
    """The graph with a batch of 1 more in the shape of one operator's output."""
    main = graph.main
    changed = main.operators[index].outputs[0]
    tensors = [
        replace(tensor, shape=(tensor.shape[0] + 1, *tensor.shape[1:]))
        if tensor.index == changed
        else tensor
        for tensor in main.tensors
    ]
    return replace(graph, subgraphs=(replace(main, tensors=tuple(tensors)),))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.data())
def test_a_placeholder_anywhere_is_named(seed: int, data: st.DataObject) -> None:
    graph = random_graph(seed, max_operators=12).graph()
    indices = [
        op.index
        for op in graph.main.operators
        if graph.main.tensors[op.outputs[0]].shape and rule_of(op.name)
    ]
    if indices:
        index = data.draw(st.sampled_from(indices))
        found = list(contradictions(_placeholder(graph, index)))
        assert index in [item.operator for item in found]


def _computed_fill(stored: tuple[int, ...]) -> Graph:
    """FILL of a shape that operators compute: the batch of an input, and 6."""
    builder = ModelBuilder("fill")
    x = builder.input((2, 3), "float32")
    (shape,) = builder.operator("SHAPE", [x], [((2,), "int32")], {"out_type": 2})
    cuts = [builder.constant(np.array([value], np.int32)) for value in (0, 1, 1)]
    (batch,) = builder.operator(
        "STRIDED_SLICE", [shape, *cuts], [((), "int32")], {"shrink_axis_mask": 1}
    )
    six = builder.constant(np.array(6, np.int32))
    options = {"axis": 0, "values_count": 2}
    (sizes,) = builder.operator("PACK", [batch, six], [((2,), "int32")], options)
    value = builder.constant(np.array(1.0, np.float32))
    builder.output(*builder.operator("FILL", [sizes, value], [(stored, "float32")], {}))
    return builder.graph()


def test_shapes_that_operators_compute_are_followed() -> None:
    assert not list(contradictions(_computed_fill((2, 6))))
    (found,) = contradictions(_computed_fill((1, 6)))
    assert (found.label, found.given) == ("FILL", (2, 6))


def test_graphs_that_go_in_circles_end() -> None:
    graph = _computed_fill((2, 6))
    pack = next(op for op in graph.main.operators if op.name == "PACK")
    inputs = (pack.outputs[0], pack.outputs[0])
    operators = tuple(
        replace(op, inputs=inputs) if op is pack else op for op in graph.main.operators
    )
    main = replace(graph.main, operators=operators)
    (found,) = contradictions(replace(graph, subgraphs=(main,)))
    assert found.label == "PACK"  # FILL's sizes are not known


@pytest.mark.parametrize("name", ["IF", "WHILE"])
def test_what_subgraphs_give(name: str) -> None:
    builder = ModelBuilder("m")
    x, condition = builder.input((4, 8), "float32"), builder.input((1,), "bool")
    names = {"IF": ("then", "else"), "WHILE": ("cond", "body")}[name]
    options = {}
    for label in names:
        part = builder.subgraph(label)
        y = part.input((4, 8), "float32")
        z = part.input((1,), "bool") if name == "WHILE" else None
        part.output(*([z] if label == "cond" and z else [y] if z is None else [y, z]))
        options[f"{label}_subgraph_index"] = part.index
    inputs = [condition, x] if name == "IF" else [x, condition]
    outputs = [((1, 8), "float32")] + ([] if name == "IF" else [((1,), "bool")])
    builder.output(*builder.operator(name, inputs, outputs, options))
    (found,) = contradictions(builder.graph())
    assert (found.label, found.given) == (name, (4, 8))


@pytest.mark.parametrize(
    ("stored", "count"), [((1, 1, 10), 0), ((10,), 0), ((2, 5), 0), ((1, 1), 1), ((1, 5), 1)]
)
def test_other_forms_of_a_row_are_the_same_to_a_dense_layer(
    stored: tuple[int, ...], count: int
) -> None:
    builder = ModelBuilder("m")
    x = builder.input((1, 4), "float32")
    w = builder.constant(np.ones((10, 4)), "float32")
    builder.output(*builder.operator("FULLY_CONNECTED", [x, w, None], [(stored, "float32")], {}))
    assert len(list(contradictions(builder.graph()))) == count


@pytest.mark.parametrize("name", ["ds_cnn", "mobilenet_v2"])
def test_each_layer_with_a_window_is_looked_at(name: str) -> None:
    graph = EXAMPLE_MODELS[name]().graph()
    assert not list(contradictions(graph))
    for op in graph.main.operators:
        if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D"):
            found = list(contradictions(_placeholder(graph, op.index)))
            assert op.index in [item.operator for item in found]


@needs_shared
def test_published_models_have_none() -> None:
    paths = [*MODELS.glob("*.tflite"), *(MODELS / "sweep").glob("*.tflite")]
    assert not [path.name for path in paths if list(contradictions(read_graph(path)))]
