"""One model planned: the solver's plan, and the file's graph with it in its metadata."""

from __future__ import annotations

import time
from dataclasses import replace
from math import inf

from predictor.errors import UsageError
from predictor.memory.arena import arena
from predictor.memory.arena_report import ArenaReport
from predictor.model.graph import Graph
from predictor.model.metadata import (
    OFFLINE_PLAN,
    ONLINE_PLANNED,
    PLAN_ORIGIN,
    PlanOrigin,
    offline_plan_bytes,
    plan_origin_bytes,
)
from predictor.optimization.exact_planner import solve
from predictor.optimization.offline_plan import tensor_offsets, used_distances
from predictor.optimization.plan_problem import Solution
from predictor.optimization.stripes.search import Choice
from predictor.optimization.task import Task, with_options
from predictor.records import dataclass


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan of a model with the operators in one order.

    ``price`` are the instructions that it takes more than the model as it came.
    """

    task: Task
    solution: Solution
    steered: tuple[int, ...]
    price: int


def planned(
    task: Task,
    deadline: float,
    max_slowdown: float | None = None,
    *,
    known: Solution | None = None,
    most_extra: float = inf,
) -> Planned:
    """The best plan, not worse than one that is known for the model as it is.

    Args:
        deadline: of ``time.monotonic()``.
        max_slowdown: most extra instructions as a fraction of all, None for no limit.
        most_extra: the same in instructions.
    """
    problem = task.problem()
    limit_s = max(0.0, deadline - time.monotonic())
    if known is not None and known.is_interrupted:
        limit_s = 0.0  # whoever stops the solver wants what it has, not its next run
    if known is not None:
        offsets = task.clusters.placed(task.extended(known.offsets))
        known = replace(known, offsets=offsets)
    if max_slowdown is not None:
        most_extra = min(most_extra, max_slowdown * task.instructions)
    max_price = None if most_extra == inf else int(most_extra - task.extra_instructions)
    solution = solve(problem, limit_s, max_price, start=known)
    steered = tuple(task.candidates[choice].index for choice in sorted(solution.chosen))
    if known is not None and known.is_interrupted:
        solution = replace(solution, is_interrupted=True)
    solution = replace(solution, offsets=task.clusters.offsets(solution.offsets))
    price = problem.price(solution.chosen) + round(task.extra_instructions)
    return Planned(task, solution, steered, price)


def written(
    best: Planned, original_sha256: str, stripes: Choice = ()
) -> tuple[Graph, ArenaReport, PlanOrigin]:
    """The model with the plan in its metadata, its arena, and where the plan comes from.

    Raises:
        UsageError: this TFLM takes no offline plan.
    """
    task = best.task
    revision = task.report.prepared.revision
    operators = task.variant.prepared.graph.main.operators
    graph = with_options(task.graph, {index: operators[index].options for index in best.steered})
    offsets = tensor_offsets(graph, task.variant.buffers, best.solution.offsets)
    metadata = {**graph.metadata, OFFLINE_PLAN: memoryview(offline_plan_bytes(offsets))}
    after = arena(replace(graph, metadata=metadata), revision)
    is_planned = any(offset != ONLINE_PLANNED for offset in offsets)
    if is_planned and not any(buffer.is_offline_planned for buffer in after.buffers):
        raise UsageError(
            f"TFLM {revision.name} reads no offline memory plan; name another with --tflm"
        )
    origin = PlanOrigin(
        kernels=revision.kernels,
        tflm=revision.name,
        commit=revision.commit,
        original_sha256=original_sha256,
        distances=used_distances(after),
        steered=best.steered,
        order=task.order,
        stripes=tuple((item.start, item.stop, item.count) for item in stripes),
    )
    metadata[PLAN_ORIGIN] = memoryview(plan_origin_bytes(origin))
    return replace(graph, metadata=metadata), after, origin
