"""The firmware obeys offline plans with TFLM of 2020, whose planner knows none."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pytest

from predictor.boards.board import Board, find_board
from predictor.errors import RefusedError
from predictor.firmware.build import FirmwareImage, build
from predictor.firmware.target import firmware_target
from predictor.model.example_models import ds_cnn
from predictor.model.graph import Graph
from predictor.model.metadata import OFFLINE_PLAN, ONLINE_PLANNED, offline_plan_bytes
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.operators.sizes import align_up, runtime_bytes
from predictor.options import Options
from predictor.prediction import predict_graph
from predictor.proof.host_check import HostCheck
from predictor.proof.model_run import ModelRun, run_model
from tests.shared_data import MODELS, needs_shared

OPTIONS = Options(kernels="reference", tflm="2020.07", resolver="all")


pytestmark = pytest.mark.usefixtures("emulation_tools")


@cache
def image(board: Board) -> FirmwareImage:
    return build(firmware_target(board))


def planned(graph: Graph, offsets: list[int]) -> bytes:
    plan = memoryview(offline_plan_bytes(offsets))
    metadata = MappingProxyType({**graph.metadata, OFFLINE_PLAN: plan})
    return write_model(replace(graph, metadata=metadata))


def run(content: bytes, board_name: str = "f767zi") -> ModelRun:
    board = find_board(board_name)
    predicted = predict_graph(read_graph(content), board, OPTIONS, content=content)
    return run_model(content, predicted.arena, image(board), board)


@pytest.mark.parametrize("seed", range(8))
def test_planned_and_unplanned_tensors(seed: int) -> None:
    """Some tensors stand apart from each other, with gaps; the planner fits in the others."""
    graph = read_graph(random_graph(seed, mid_2020=True, max_operators=12).build())
    rng = random.Random(seed)
    offsets, end = [ONLINE_PLANNED] * graph.tensor_count, 0
    for tensor in rng.sample(graph.main.tensors, graph.tensor_count):
        if not tensor.is_constant and rng.random() < 0.6:
            offsets[tensor.index] = end
            end += align_up(runtime_bytes(tensor, tensor.shape), 16) + rng.choice((0, 0, 16, 256))
    result = run(planned(graph, offsets))
    assert result.failure is None
    assert (result.head_bytes, result.tail_bytes) == (
        result.arena.nonpersistent_bytes,
        result.arena.persistent_bytes,
    )
    # Not the host's, as this TFLM computes some operators otherwise.
    assert result.outputs == run(write_model(graph)).outputs


@pytest.mark.parametrize("seed", range(8))
def test_overlapping_plans(seed: int) -> None:
    """Any offsets, overlaps included: what comes out is wrong, the arena is as predicted."""
    graph = read_graph(random_graph(seed, mid_2020=True, max_operators=8).build())
    rng = random.Random(seed)
    offsets = [
        ONLINE_PLANNED if tensor.is_constant or rng.random() < 0.3 else 16 * rng.randrange(300)
        for tensor in graph.main.tensors
    ]
    result = run(planned(graph, offsets))
    assert result.used_bytes == result.arena.used_bytes
    assert result.head_bytes == result.arena.nonpersistent_bytes


def test_a_plan_for_another_model_is_refused() -> None:
    graph = read_graph(ds_cnn(channels=8, blocks=1).build())
    content = planned(graph, [ONLINE_PLANNED] * (graph.tensor_count - 1))
    with pytest.raises(RefusedError, match="offsets for"):
        run(content)
    board = find_board("f767zi")
    arena = predict_graph(graph, board, OPTIONS).arena
    failed = run_model(content, arena, image(board), board)
    assert failed.failure is not None
    assert "not one for each tensor" in failed.failure


@needs_shared
@pytest.mark.parametrize(
    "path", sorted((MODELS / "planned").glob("*.tflite")), ids=lambda path: path.stem
)
def test_shared_planned_models(path: Path) -> None:
    result = run(path.read_bytes())
    assert result.passed
    assert result.host is HostCheck.EQUAL
    assert result.head_bytes == result.arena.nonpersistent_bytes
