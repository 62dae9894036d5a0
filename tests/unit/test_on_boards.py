"""One model on many boards: prepared once for cores that run the same kernels."""

from __future__ import annotations

import pytest

from predictor.boards.board import shipped_boards
from predictor.memory import arena
from predictor.model.builder import ModelBuilder
from predictor.model.random_graphs import random_graph
from predictor.options import Options
from predictor.prediction import (
    Prediction,
    fitting_boards,
    on_board,
    on_shipped_boards,
    predict_graph,
)

KERNELS = ("cmsis_nn", "reference", "ours")


def _wide(channels: int) -> Prediction:
    """Two convolutions between feature maps of 64 x 64."""
    builder = ModelBuilder("wide")
    x = builder.input((1, 64, 64, channels))
    for _ in range(2):
        x = builder.conv_2d(x, channels)
    builder.output(x)
    return predict_graph(builder.graph())


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("seed", range(8))
def test_least_arena_of_any_kernels(seed: int, kernels: str) -> None:
    graph = random_graph(seed, max_operators=20).graph()
    prediction = predict_graph(graph, options=Options(kernels=kernels))
    least_bytes = prediction.arena.least_bytes
    assert least_bytes > 0
    for other in on_shipped_boards(prediction):
        assert least_bytes <= other.arena.required_bytes
        assert least_bytes == other.arena.least_bytes


@pytest.mark.parametrize("channels", [1, 4, 16, 64, 256])
def test_boards_that_fit(channels: int) -> None:
    prediction = _wide(channels)
    fits = [other.board for other in on_shipped_boards(prediction) if other.fits]
    assert fitting_boards(_wide(channels)) == tuple(fits)


def test_one_preparation_for_each_kind_of_core(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = []
    prepare = arena.prepare
    monkeypatch.setattr(arena, "prepare", lambda *given: prepared.append(given) or prepare(*given))
    first = _wide(16)
    others = [on_board(first, board) for board in shipped_boards()]
    assert not all(other.fits for other in others)
    assert [other.remedies for other in others if not other.fits]
    kinds = {board.core.model.extensions for board in shipped_boards()}
    assert len(prepared) == len(kinds) < len(others)


def test_other_boards_do_not_inherit_counts_of_emulation() -> None:
    first = _wide(4)
    assert on_board(first, shipped_boards()[0]).counted is None
    same = on_board(first, first.board)
    assert (same.works, same.arena) == (first.works, first.arena)
