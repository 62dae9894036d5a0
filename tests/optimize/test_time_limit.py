"""The time limit of an optimisation: all of its parts look at the clock, and none takes memory or
time that grows with the square of a layer. No test here depends on how fast a machine is."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.errors import UnprovedError
from predictor.memory.arena import arena
from predictor.memory.revision import load_revision
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import EXAMPLE_MODELS
from predictor.optimization import plan_cpsat
from predictor.optimization.compaction.compaction import compact
from predictor.optimization.compaction.identities import simplified
from predictor.optimization.exact_planner import solve
from predictor.optimization.grouping import sums_by_class
from predictor.optimization.optimization import count_instructions, optimize_model
from predictor.optimization.optimizer import OptimizeOptions
from predictor.optimization.overlap import OverlapLevel, problem_of
from predictor.optimization.verification.verifier import prove_equal
from tests.optimize.planted import planted_network

PAST = -1.0


class Clock:
    """A clock that goes on by ``step_s`` whenever somebody looks at it."""

    def __init__(self, step_s: float) -> None:
        self.step_s = step_s
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    found = Clock(0.005)
    monkeypatch.setattr(time, "monotonic", found)
    yield found
    monkeypatch.undo()


@pytest.mark.parametrize("limit_s", [0.5, 1.0])
@pytest.mark.parametrize("name", ["ds_cnn", "mobilenet_v2"])
def test_all_parts_together_keep_the_limit(name: str, limit_s: float, clock: Clock) -> None:
    content = EXAMPLE_MODELS[name]().build()
    settings = OptimizeOptions(time_limit_s=limit_s, reorder=True, instructions=count_instructions)
    found = optimize_model(content, "f446re", settings)
    assert found.after.arena.required_bytes <= found.before.arena.required_bytes
    assert clock.now_s <= 1.2 * limit_s


def test_after_the_deadline_nothing_more_is_tried() -> None:
    graph = planted_network(1).graph
    assert compact(graph).is_smaller
    assert not compact(graph, deadline=PAST).is_smaller
    assert simplified(graph, PAST) == (graph, [])
    prove_equal(graph, graph)
    with pytest.raises(UnprovedError, match="not enough time"):
        prove_equal(graph, graph, deadline=PAST)


def test_a_proof_that_is_not_done_in_time_keeps_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    content = EXAMPLE_MODELS["ds_cnn"]().build()

    def late(*_: object) -> None:
        raise UnprovedError("there was not enough time for the proof")

    monkeypatch.setattr("predictor.optimization.optimization.prove_equal", late)
    found = optimize_model(content, "f446re", OptimizeOptions(time_limit_s=5))
    assert found.compaction is None


def test_models_for_the_solver_are_given_up_while_they_are_built(clock: Clock) -> None:
    pytest.importorskip("ortools", reason="OR-tools is not installed")
    graph = EXAMPLE_MODELS["mobilenet_v2"]().graph()
    problem = problem_of(arena(graph, load_revision("2026.08")), OverlapLevel.DIAGONAL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_cpsat, "is_available", lambda: False)
        start = solve(problem, 1.0)
    assert plan_cpsat.solve(problem, start, clock.now_s + 1.5 * clock.step_s) == start


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=20), st.integers(0, 10**6))
def test_sums_of_classes_are_those_of_a_matrix(classes: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).integers(-99, 99, (2, 3, len(classes)))
    joining = np.array(classes)[:, None] == np.unique(classes)
    assert np.array_equal(sums_by_class(values, np.array(classes)), values @ joining)


def test_wide_layers_take_no_memory_of_their_square() -> None:
    builder = ModelBuilder("wide")
    x = builder.fully_connected(builder.input((1, 4)), 20_000)
    builder.output(builder.fully_connected(x, 2))
    graph = builder.graph()
    tracemalloc.start()
    try:
        prove_equal(graph, compact(graph).graph)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 << 20
