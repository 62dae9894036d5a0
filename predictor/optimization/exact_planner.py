"""The smallest plan for given buffers, lifetimes and allowed overlaps, with a proof or the gap.

Plans come from a search over orders, which every installation has and whose result is proven
optimal where it reaches the lower bound; from a branch and bound in C for buffers that may not
overlap; and from CP-SAT where OR-tools is installed (extra ``optimize``). Whatever stops the
solver, the best plan so far is the result.
"""

from __future__ import annotations

import time
from dataclasses import replace

from predictor.optimization import plan_branch, plan_cpsat, plan_search
from predictor.optimization.plan_problem import PlanProblem, Solution

DEFAULT_TIME_LIMIT_S = 10.0
_TENSORS_LIMIT_S = 0.5
"""Time to lower tensors below scratch buffers, which does not change the arena."""
_QUICK_PATIENCE = 200
"""Orders without a lower plan after which the search hands over to CP-SAT."""


def solve(
    problem: PlanProblem,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    max_price: int | None = None,
    start: Solution | None = None,
) -> Solution:
    """The lowest plan found and, among those, one of the cheapest.

    Args:
        max_price: what the choices may cost together.
        start: a plan that is known already; the result is not worse.
    """
    deadline = time.monotonic() + time_limit_s
    solver = _Solver(problem, deadline, max_price)
    if start is not None:
        solver.offer(start)
    try:
        solver.run()
    except KeyboardInterrupt:
        if solver.best is None:
            raise
        return replace(solver.best, is_complete=False, is_interrupted=True)
    return solver.result()


class _Solver:
    def __init__(self, problem: PlanProblem, deadline: float, max_price: int | None) -> None:
        self.best: Solution | None = None
        self._problem = problem
        self._bound = problem.lower_bound_bytes
        self._deadline = deadline
        self._max_price = max_price

    def offer(self, solution: Solution) -> None:
        """Takes a plan if it is lower than the best, or as low and cheaper."""
        is_complete = not self._problem.prices and solution.height_bytes <= self._bound
        solution = replace(solution, bound_bytes=self._bound, is_complete=is_complete)
        price = self._problem.price
        if self.best is None or (solution.height_bytes, price(solution.chosen)) < (
            self.best.height_bytes,
            price(self.best.chosen),
        ):
            self.best = solution

    def result(self) -> Solution:
        if self.best is None:
            raise RuntimeError("the solver ended without a plan")
        return self.best

    def run(self) -> None:
        has_solver = plan_cpsat.is_available() and plan_cpsat.is_worthwhile(self._deadline)
        has_branch = plan_branch.is_available(self._problem)
        patience = 1 if has_branch else _QUICK_PATIENCE if has_solver else 0
        self._search(frozenset(), patience)
        if self._problem.prices:
            self._search(self._affordable(), patience)
        if has_branch and not self.result().is_optimal:
            self._branch()
        best = self.result()
        if best.is_optimal and not best.chosen:
            self.best = replace(best, is_complete=True)
        elif has_solver:
            self.best = plan_cpsat.solve(self._problem, best, self._deadline, self._max_price)
        elif best.chosen:
            self._drop_choices()
        if has_solver and any(buffer.is_scratch for buffer in self._problem.buffers):
            deadline = min(self._deadline, time.monotonic() + _TENSORS_LIMIT_S)
            self.best = plan_cpsat.lower_tensors(self._problem, self.result(), deadline)

    def _branch(self) -> None:
        """Plans of buffers that may not overlap: the search in C proves what it ends with."""
        if plan_branch.search(self._problem, self.result(), self._deadline, self.offer):
            self._bound = self.result().height_bytes
            self.best = replace(self.result(), bound_bytes=self._bound, is_complete=True)

    def _search(self, chosen: frozenset[int], patience: int = 0) -> None:
        def found(solution: Solution) -> None:
            self.offer(replace(solution, chosen=chosen))

        plan_search.search(self._problem.with_choices(chosen), self._deadline, found, patience)

    def _affordable(self) -> frozenset[int]:
        """All choices, but for the dearest where they cost too much together."""
        prices = self._problem.prices
        chosen = sorted(range(len(prices)), key=lambda choice: prices[choice])
        while self._max_price is not None and self._problem.price(frozenset(chosen)) > max(
            0, self._max_price
        ):
            chosen.pop()
        return frozenset(chosen)

    def _drop_choices(self) -> None:
        """Gives up choices, the dearest first, as long as the plan stays as low."""
        prices = self._problem.prices
        for choice in sorted(self.result().chosen, key=lambda choice: -prices[choice]):
            if time.monotonic() > self._deadline:
                break
            self._search(self.result().chosen - {choice}, _QUICK_PATIENCE)
