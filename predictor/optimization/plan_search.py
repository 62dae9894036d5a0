"""Plans by search over orders: each buffer in turn takes the lowest place that is left.

Some order gives an optimal plan, for the buffers of any plan taken by rising offset do. The search
starts from orders that are good on real models and then moves what reaches the top of the best
plan forward in the order.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence

from predictor.optimization.plan_problem import PlanProblem, Solution

_SEED = 1
_PATIENCE = 2_000
"""Orders without a lower plan after which the search ends."""


def place(problem: PlanProblem, order: Iterable[int]) -> list[int]:
    """Offsets of the buffers, each in turn at the lowest offset that its conflicts leave."""
    separations = problem.separations
    offsets = [-1] * len(problem.buffers)
    for i in order:
        blocked: list[tuple[int, int]] = []
        shared: list[int] = []
        for other, below, above, may_be_equal in separations[i]:
            offset = offsets[other]
            if offset >= 0:
                blocked.append((offset - below, offset + above))
                if may_be_equal:
                    shared.append(offset)
        blocked.sort()
        offsets[i] = _lowest(blocked, shared) if shared else _lowest_gap(blocked)
    return offsets


def _lowest_gap(blocked: Sequence[tuple[int, int]]) -> int:
    """The lowest offset from 0 on that lies in none of the open intervals, sorted."""
    offset = 0
    for begin, end in blocked:
        if begin >= offset:
            break
        if end > offset:
            offset = end
    return offset


def _lowest(blocked: Sequence[tuple[int, int]], shared: Sequence[int]) -> int:
    """The same where the offsets ``shared`` are free of one interval that holds them."""
    best = _lowest_gap(blocked)
    for offset in sorted(shared):
        if offset < best and sum(begin < offset < end for begin, end in blocked) == 1:
            return offset
    return best


def _first_orders(problem: PlanProblem) -> list[list[int]]:
    buffers = problem.buffers
    indices = range(len(buffers))

    def life(i: int) -> int:
        return buffers[i].last_use - buffers[i].first_use

    keys: tuple[Callable[[int], tuple[int, ...]], ...] = (
        lambda i: (-buffers[i].size_bytes, -i),
        lambda i: (-buffers[i].size_bytes, i),
        lambda i: (-buffers[i].size_bytes * (life(i) + 1), i),
        lambda i: (-life(i), -buffers[i].size_bytes, i),
        lambda i: (-buffers[i].last_use, -buffers[i].size_bytes),
        lambda i: (buffers[i].first_use, -buffers[i].size_bytes),
    )
    return [sorted(indices, key=key) for key in keys]


def search(
    problem: PlanProblem, deadline: float, found: Callable[[Solution], None], patience: int = 0
) -> None:
    """Looks for low plans until one reaches the lower bound or time is up.

    Args:
        deadline: of ``time.monotonic()``.
        found: gets each plan that is lower than all before it.
        patience: orders without a lower plan after which the search ends, 0 for the default.
    """
    bound = problem.lower_bound_bytes
    best_order: list[int] = []
    best: list[int] = []
    height = -1

    def attempt(order: list[int]) -> bool:
        nonlocal best_order, best, height
        offsets = place(problem, order)
        new = problem.height_bytes(offsets)
        if height >= 0 and new > height:
            return False
        is_lower = height < 0 or new < height
        best_order, best, height = order, offsets, new
        if is_lower:
            found(Solution(tuple(offsets), new, bound, is_complete=new <= bound))
        return is_lower

    for order in _first_orders(problem):
        attempt(order)
        if height <= bound or time.monotonic() > deadline:
            return
    generator = random.Random(_SEED)
    failures = 0
    while height > bound and failures < (patience or _PATIENCE) and time.monotonic() < deadline:
        order = _varied(problem, best_order, best, height, generator)
        failures = 0 if attempt(order) else failures + 1


def _varied(
    problem: PlanProblem,
    order: Sequence[int],
    offsets: Sequence[int],
    height: int,
    generator: random.Random,
) -> list[int]:
    """The order with a buffer that reaches the top, or a conflict of it, moved forward."""
    tops = [
        i for i, buffer in enumerate(problem.buffers) if offsets[i] + buffer.size_bytes == height
    ]
    moved = generator.choice(tops)
    if generator.random() < 0.5 and problem.separations[moved]:
        moved = generator.choice(problem.separations[moved]).other
    changed = [i for i in order if i != moved]
    changed.insert(generator.randrange(len(order)), moved)
    return changed
