"""Puts groups of operators in stripes as long as the arena falls by it."""

from __future__ import annotations

import time
from math import inf

from predictor.errors import UnprovedError
from predictor.memory.arena import arena
from predictor.memory.arena_report import ArenaReport
from predictor.optimization.planned import Planned, planned, written
from predictor.optimization.stripes.search import MOST_GROUPS, Candidates, Choice, with_stripes
from predictor.optimization.task import Task
from predictor.optimization.verification.rows import prove_rows_equal

_BUILT = 5
"""Of the most promising candidates for a group more, those that are built and planned."""
_PART_FOR_ESTIMATES, _PART_FOR_PLAN = 0.3, 0.2
"""Of the time that is left."""


def in_stripes(
    best: Planned, after: ArenaReport, max_slowdown: float | None, deadline: float
) -> tuple[Planned, Choice]:
    """The plan with the least arena, and its groups in stripes; the one given where none is less.

    Args:
        after: the arena with the plan that is known.
        max_slowdown: most extra instructions as a fraction of all, None for no limit.
        deadline: of ``time.monotonic()``.
    """
    task = best.task
    nodes = task.report.prepared.nodes
    counts = task.count(task.report.prepared)
    own = {
        node.context.op.index: count
        for node, count in zip(nodes, counts, strict=True)
        if not node.context.subgraph.index
    }
    most = inf if max_slowdown is None else max_slowdown * task.instructions
    until = _after(_PART_FOR_ESTIMATES, deadline)
    candidates = Candidates(task.report, [own[index] for index in sorted(own)], until)
    need = after.required_bytes, after.used_bytes
    choice: Choice = ()
    while len(choice) < MOST_GROUPS:
        found = [
            (*tried, wanted)
            for wanted in candidates.best(choice, most, _BUILT)
            if (tried := _tried(task, wanted, most, deadline)) is not None
        ]
        lowest = min(found, key=lambda item: (item[0], item[1].price), default=None)
        if lowest is None or lowest[0] >= need:
            break
        need, best, choice = lowest
    return best, choice


def _after(part: float, deadline: float) -> float:
    """The time at which that part of what is left until the deadline is over."""
    now = time.monotonic()
    return now + part * max(0.0, deadline - now)


def _tried(
    original: Task, choice: Choice, most: float, deadline: float
) -> tuple[tuple[int, int], Planned] | None:
    """The arena of a model with these groups in stripes, and its plan; None where they cost too
    much, time is up, or it cannot be proved that it computes the same."""
    if time.monotonic() > deadline:
        return None
    graph = with_stripes(original.graph, choice)
    try:
        prove_rows_equal(original.graph, graph)
    except UnprovedError:
        return None
    task = original.striped(graph, arena(graph, original.report.prepared.revision))
    if task.extra_instructions > most:
        return None
    found = planned(task, _after(_PART_FOR_PLAN, deadline), most_extra=most)
    _, after, _ = written(found, "")
    return (after.required_bytes, after.used_bytes), found
