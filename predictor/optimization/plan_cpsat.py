"""Optimal plans with CP-SAT, the constraint solver of OR-tools (extra ``optimize``).

Offsets are whole numbers of 16 bytes. Of each two buffers that are alive together one lies below
the other, which is one variable of the model; the choices are others. The first run finds the
lowest plan, the second the cheapest choices with which it is as low.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from predictor.optimization.plan_problem import ALIGNMENT, PlanProblem, Solution
from predictor.records import dataclass

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

_POLL_S = 0.05
_LOAD_S = 0.5
"""What it takes to import OR-tools, at least."""
_CHECKED_PAIRS = 64
"""Pairs of buffers that are added to a model between two looks at the clock."""
_MOST_PAIRS = 1 << 15
"""Pairs of buffers alive at a common step; models of more take longer to build than to solve."""


def is_available() -> bool:
    """Whether OR-tools can be used.

    Not in a process that has loaded TensorFlow first: both bring their own copies of the same C++
    libraries, and the solver then ends with a segmentation fault.
    """
    from importlib.util import find_spec

    if "tensorflow" in sys.modules and "ortools.sat.python.cp_model" not in sys.modules:
        return False
    return find_spec("ortools") is not None


def is_worthwhile(deadline: float) -> bool:
    """Whether there is time to import OR-tools, where it is not, and to solve something."""
    is_loaded = "ortools.sat.python.cp_model" in sys.modules
    return deadline - time.monotonic() > (0.0 if is_loaded else _LOAD_S)


@dataclass
class _Model:
    model: cp_model.CpModel
    offsets: list[Any]
    height: Any
    choices: list[Any]
    price: Any


class _Run(NamedTuple):
    """What the solver found: None where it found nothing."""

    solution: Solution | None
    is_proven: bool
    objective_bound: int
    is_interrupted: bool = False


def solve(
    problem: PlanProblem, start: Solution, deadline: float, max_price: int | None = None
) -> Solution:
    """The lowest plan and, among those, one of the cheapest; not worse than ``start``.

    Args:
        start: a plan to begin with.
        deadline: of ``time.monotonic()``.
        max_price: what the choices may cost together.

    Returns:
        the best plan found; ``is_complete`` tells whether it is proven to be the best. When the
        user interrupts, the best plan until then.
    """
    if time.monotonic() > deadline or len(problem.conflicts) > _MOST_PAIRS:
        return start
    built = _build(problem, start, max_price, deadline)
    if built is None:
        return start
    built.model.minimize(built.height)
    run = _run(problem, built, deadline)
    bound = max(start.bound_bytes, run.objective_bound * ALIGNMENT)
    lowest = run.solution or start
    lowest = replace(
        lowest,
        bound_bytes=bound,
        is_complete=run.is_proven,
        is_interrupted=run.is_interrupted,
    )
    if not problem.prices or not run.is_proven:
        return lowest
    built = _build(problem, lowest, max_price, deadline)
    if built is None:
        return replace(lowest, is_complete=False)
    built.model.minimize(built.price)
    run = _run(problem, built, deadline)
    cheapest = run.solution or lowest
    return replace(
        cheapest,
        bound_bytes=bound,
        is_complete=run.is_proven,
        is_interrupted=run.is_interrupted,
    )


def lower_tensors(problem: PlanProblem, best: Solution, deadline: float) -> Solution:
    """A plan of the same height and choices whose tensors alone are as low as possible."""
    fixed = problem.with_choices(best.chosen)
    if time.monotonic() > deadline or len(fixed.conflicts) > _MOST_PAIRS:
        return best
    built = _build(fixed, best, None, deadline)
    if built is None:
        return best
    built.model.add(built.height <= best.height_bytes // ALIGNMENT)
    top = built.model.new_int_var(0, best.height_bytes // ALIGNMENT, "top")
    for offset, buffer in zip(built.offsets, fixed.buffers, strict=True):
        if not buffer.is_scratch:
            built.model.add(offset + buffer.size_bytes // ALIGNMENT <= top)
    built.model.minimize(top)
    run = _run(fixed, built, deadline)
    best = replace(best, is_interrupted=best.is_interrupted or run.is_interrupted)
    found = run.solution
    if found is None or fixed.tensor_bytes(found.offsets) >= fixed.tensor_bytes(best.offsets):
        return best
    return replace(best, offsets=found.offsets)


def _build(
    problem: PlanProblem, start: Solution, max_price: int | None, deadline: float
) -> _Model | None:
    """The model of plans that are not higher than ``start``; None where time is up before."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    limit = start.height_bytes // ALIGNMENT
    choices = [model.new_bool_var(f"choice{k}") for k in range(len(problem.prices))]
    offsets = [model.new_int_var(0, limit, f"offset{i}") for i in range(len(problem.buffers))]
    height = model.new_int_var(min(start.bound_bytes // ALIGNMENT, limit), limit, "height")
    for offset, buffer in zip(offsets, problem.buffers, strict=True):
        demand = model.add(offset + buffer.size_bytes // ALIGNMENT <= height)
        if buffer.choice is not None:
            demand.only_enforce_if(choices[buffer.choice])
    if not _Pairs(problem, model, offsets, choices).add(deadline):
        return None
    price = sum(p * choice for p, choice in zip(problem.prices, choices, strict=True))
    if max_price is not None and problem.prices:
        model.add(price <= max_price)
    for offset, value in zip(offsets, start.offsets, strict=True):
        model.add_hint(offset, value // ALIGNMENT)
    for k, choice in enumerate(choices):
        model.add_hint(choice, k in start.chosen)
    model.add_hint(height, limit)
    return _Model(model, offsets, height, choices, price)


class _Pairs:
    """Adds what keeps each two buffers apart."""

    def __init__(
        self, problem: PlanProblem, model: cp_model.CpModel, offsets: list[Any], choices: list[Any]
    ) -> None:
        self._problem = problem
        self._model = model
        self._offsets = offsets
        self._choices = choices
        self._overlaps = {(item.lower, item.upper): item for item in problem.overlaps}

    def add(self, deadline: float) -> bool:
        """Adds all of it; whether that was done before the deadline."""
        buffers = self._problem.buffers
        for number, (i, j) in enumerate(self._problem.conflicts):
            if number % _CHECKED_PAIRS == 0 and time.monotonic() > deadline:
                return False
            if not (buffers[i].size_bytes and buffers[j].size_bytes):
                continue
            needed = {buffers[i].choice, buffers[j].choice}
            conditions = [self._choices[choice] for choice in needed if choice is not None]
            is_below = self._model.new_bool_var("")
            self._below(i, j, [is_below, *conditions])
            self._below(j, i, [is_below.negated(), *conditions])
        return True

    def _below(self, lower: int, upper: int, conditions: list[Any]) -> None:
        """Demands that ``lower`` begins as far below ``upper`` as it must."""
        model, offsets = self._model, self._offsets
        overlap = self._overlaps.get((lower, upper))
        size = self._problem.buffers[lower].size_bytes // ALIGNMENT
        apart = offsets[lower] + size
        if overlap is None:
            model.add(apart <= offsets[upper]).only_enforce_if(conditions)
            return
        near = offsets[lower] + min(size, -(-overlap.distance_bytes // ALIGNMENT))
        if overlap.choice is not None:
            is_allowed = self._choices[overlap.choice]
        elif overlap.only_equal:
            is_allowed = model.new_bool_var("")
        else:
            model.add(near <= offsets[upper]).only_enforce_if(conditions)
            return
        model.add(apart <= offsets[upper]).only_enforce_if([*conditions, is_allowed.negated()])
        if overlap.only_equal:
            model.add(offsets[lower] == offsets[upper]).only_enforce_if([*conditions, is_allowed])
        else:
            model.add(near <= offsets[upper]).only_enforce_if([*conditions, is_allowed])


def _run(problem: PlanProblem, built: _Model, deadline: float) -> _Run:
    """Runs the solver in a thread, so that an interrupt stops it and keeps what it has found."""
    from ortools.sat.python import cp_model

    seconds = deadline - time.monotonic()
    if seconds <= 0:
        return _Run(None, False, 0)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.catch_sigint_signal = False
    status, is_interrupted = _solve_in_thread(solver, built.model)
    bound = max(0, math.ceil(solver.best_objective_bound - 1e-6))
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return _Run(None, False, bound, is_interrupted)
    chosen = frozenset(k for k, choice in enumerate(built.choices) if solver.boolean_value(choice))
    offsets = tuple(
        solver.value(offset) * ALIGNMENT if buffer.choice is None or buffer.choice in chosen else 0
        for offset, buffer in zip(built.offsets, problem.buffers, strict=True)
    )
    height = problem.with_choices(chosen).height_bytes(offsets)
    is_proven = status == cp_model.OPTIMAL and not is_interrupted
    return _Run(Solution(offsets, height, 0, chosen), is_proven, bound, is_interrupted)


def _solve_in_thread(solver: cp_model.CpSolver, model: cp_model.CpModel) -> tuple[Any, bool]:
    """The solver's status, and whether the user interrupted."""
    found: list[Any] = []
    is_done = threading.Event()

    def run() -> None:
        try:
            found.append(solver.solve(model))
        finally:
            is_done.set()

    threading.Thread(target=run, daemon=True).start()
    is_interrupted = False
    while not is_done.is_set():
        try:
            is_done.wait(_POLL_S)
            if is_interrupted:
                solver.stop_search()  # again and again: it may not have begun yet
        except KeyboardInterrupt:
            is_interrupted = True
    return found[0], is_interrupted
