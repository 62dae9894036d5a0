"""The exact planner: valid plans, proofs that hold, the same with and without OR-tools."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.memory.greedy_planner import BufferRequest, plan, planned_bytes
from predictor.optimization import exact_planner, plan_cpsat
from predictor.optimization.plan_problem import AllowedOverlap, PlanBuffer, PlanProblem


@st.composite
def problems(draw: st.DrawFn) -> PlanProblem:
    """Up to nine buffers; pairs of which one dies where the other is born may overlap."""
    buffers = []
    for _ in range(draw(st.integers(1, 9))):
        first = draw(st.integers(0, 8))
        life = draw(st.sampled_from([0, 1, 1, 2, 8]))
        buffers.append(PlanBuffer(16 * draw(st.integers(1, 12)), first, first + life))
    overlaps = []
    for lower, output in enumerate(buffers):
        for upper, input in enumerate(buffers):
            if lower != upper and output.first_use == input.last_use > input.first_use:
                distance = 16 * draw(st.integers(0, 12))
                equal = distance == 0 and draw(st.booleans())
                overlaps.append(AllowedOverlap(lower, upper, distance, equal))
    return PlanProblem(buffers, overlaps)


@given(problems())
@settings(deadline=None, max_examples=60)
def test_plans_are_valid_and_not_below_their_bound(problem: PlanProblem) -> None:
    solution = exact_planner.solve(problem, time_limit_s=20)
    assert problem.faults(solution.offsets) == []
    assert problem.height_bytes(solution.offsets) == solution.height_bytes
    assert all(offset >= 0 and offset % 16 == 0 for offset in solution.offsets)
    assert solution.height_bytes >= solution.bound_bytes >= problem.lower_bound_bytes
    assert solution.is_optimal


@given(problems())
@settings(deadline=None, max_examples=60)
def test_never_above_the_greedy_plan(problem: PlanProblem) -> None:
    requests = [BufferRequest(b.size_bytes, b.first_use, b.last_use) for b in problem.buffers]
    greedy = planned_bytes(requests, plan(requests))
    assert exact_planner.solve(problem, time_limit_s=20).height_bytes <= greedy


@given(problems())
@settings(deadline=None, max_examples=30)
def test_search_alone_finds_valid_plans(problem: PlanProblem) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_cpsat, "is_available", lambda: False)
        alone = exact_planner.solve(problem, time_limit_s=1)
    best = exact_planner.solve(problem, time_limit_s=20)
    assert problem.faults(alone.offsets) == []
    assert best.height_bytes <= alone.height_bytes
    assert alone.bound_bytes <= best.height_bytes
