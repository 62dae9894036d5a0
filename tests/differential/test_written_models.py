"""Real models, read and written again: nothing that the reader sees is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from predictor.model.graph import Graph
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.proof.host_runtime import HostRuntime
from tests.shared_data import MODELS, needs_shared

FOLDERS = ("", "ops", "planned", "rnd", "seanet", "sweep")


def _models(folder: str) -> list[Path]:
    return sorted((MODELS / folder).glob("*.tflite"))


def _constants(graph: Graph) -> list[bytes | None]:
    tensors = [tensor for subgraph in graph.subgraphs for tensor in subgraph.tensors]
    return [None if tensor.data is None else bytes(tensor.data) for tensor in tensors]


@needs_shared
@pytest.mark.parametrize("folder", FOLDERS)
def test_reading_and_writing_keeps_everything(folder: str) -> None:
    paths = _models(folder)
    assert paths
    for path in paths:
        graph = read_graph(path)
        content = write_model(graph)
        again = read_graph(content)
        assert again == replace(graph, flatbuffer_bytes=len(content)), path.name
        assert _constants(again) == _constants(graph), path.name
        for before, after in zip(graph.subgraphs, again.subgraphs, strict=True):
            for left, right in zip(before.tensors, after.tensors, strict=True):
                assert left.quantization == right.quantization, path.name


@needs_shared
def test_tflm_plans_written_models_as_before(tflite_micro: HostRuntime) -> None:
    for path in _models("rnd")[::5]:
        before = tflite_micro.run(path.read_bytes())
        after = tflite_micro.run(write_model(read_graph(path)))
        # TFLM refuses a few of these models, which written ones must not change.
        assert (after.error, after.allocations) == (before.error, before.allocations), path.name
