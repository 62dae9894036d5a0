"""Branch and bound of plans without overlaps: the same heights as CP-SAT, also where it is hard."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.optimization import exact_planner, plan_branch, plan_cpsat, plan_search
from predictor.optimization.plan_problem import PlanBuffer, PlanProblem, Solution
from tests.shared_data import SHARED, needs_shared
from tools.minimalloc import read_problem

_PROBLEMS = sorted((SHARED / "data" / "minimalloc").glob("*.csv"))

pytestmark = pytest.mark.skipif(
    plan_branch.native_library() is None, reason="the package was built without a C compiler"
)


def _cut(generator: random.Random, height: int, begin: int, end: int, count: int) -> PlanProblem:
    """A rectangle of memory and time cut into buffers: its height is the lowest."""
    pieces = [(height, begin, end)]
    while len(pieces) < count:
        pieces.sort(key=lambda piece: piece[0] * (piece[2] - piece[1]))
        size, first, last = pieces.pop()
        if generator.random() < 0.5 and size > 1:
            part = generator.randint(1, size - 1)
            pieces += [(part, first, last), (size - part, first, last)]
        elif last - first > 1:
            middle = generator.randint(first + 1, last - 1)
            pieces += [(size, first, middle), (size, middle, last)]
        else:
            pieces.append((size, first, last))
            count -= 1
    generator.shuffle(pieces)
    return PlanProblem([PlanBuffer(16 * size, first, last - 1) for size, first, last in pieces])


def _solved(problem: PlanProblem, seconds: float = 60.0) -> tuple[Solution, bool]:
    found: list[Solution] = []
    deadline = time.monotonic() + seconds
    plan_search.search(problem, deadline, found.append, patience=1)
    is_proven = plan_branch.search(problem, found[-1], deadline, found.append)
    assert problem.faults(found[-1].offsets) == []
    assert problem.height_bytes(found[-1].offsets) == found[-1].height_bytes
    return found[-1], is_proven


@st.composite
def problems(draw: st.DrawFn) -> PlanProblem:
    buffers = []
    for _ in range(draw(st.integers(1, 12))):
        first = draw(st.integers(0, 9))
        size = 16 * draw(st.integers(0, 12))
        buffers.append(PlanBuffer(size, first, first + draw(st.integers(0, 6))))
    return PlanProblem(buffers)


@given(problems())
@settings(deadline=None, max_examples=80)
def test_heights_are_those_of_cp_sat(problem: PlanProblem) -> None:
    if not plan_branch.is_available(problem):
        return
    best, is_proven = _solved(problem)
    assert is_proven
    other = plan_cpsat.solve(problem, best, time.monotonic() + 60)
    assert other.is_complete
    assert best.height_bytes == other.height_bytes


@pytest.mark.parametrize("seed", range(8))
def test_rectangles_that_were_cut_are_put_together(seed: int) -> None:
    generator = random.Random(seed)
    problem = _cut(generator, 200, 0, 60, 40 + 10 * seed)
    best, is_proven = _solved(problem)
    assert is_proven
    assert best.height_bytes == 16 * 200


def test_an_empty_plan_and_overlaps_are_left_to_others() -> None:
    assert not plan_branch.is_available(PlanProblem([]))
    assert not plan_branch.is_available(PlanProblem([PlanBuffer(0, 0, 1)]))
    assert not plan_branch.is_available(PlanProblem([PlanBuffer(16, 0, 1)], prices=[1]))


def test_time_that_is_up_ends_it() -> None:
    problem = _cut(random.Random(1), 5_000, 0, 400, 400)
    found: list[Solution] = []
    plan_search.search(problem, time.monotonic() + 60, found.append, patience=1)
    assert not plan_branch.search(problem, found[-1], time.monotonic(), found.append)


def test_a_thousand_buffers_are_planned_not_above_greedy() -> None:
    from predictor.memory.greedy_planner import BufferRequest, plan, planned_bytes

    generator = random.Random(7)
    buffers = []
    for step in range(1_000):
        life = generator.choice((1, 1, 1, 2, 3, 40))
        buffers.append(PlanBuffer(16 * generator.randint(1, 400), step, step + life))
    requests = [BufferRequest(b.size_bytes, b.first_use, b.last_use) for b in buffers]
    solution = exact_planner.solve(PlanProblem(buffers), time_limit_s=5)
    assert solution.height_bytes <= planned_bytes(requests, plan(requests))


@needs_shared
@pytest.mark.parametrize("path", _PROBLEMS, ids=lambda path: path.stem)
def test_published_problems_reach_their_height(path) -> None:
    solution = exact_planner.solve(read_problem(path), time_limit_s=120)
    assert solution.height_bytes <= int(path.stem.split(".")[1])
