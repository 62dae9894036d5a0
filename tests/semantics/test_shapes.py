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
