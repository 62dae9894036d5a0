"""The same model with a better memory plan: offsets found ahead, kept in the file's metadata.

``optimize`` solves the plan of a prepared model, writes it into a copy of the graph and predicts
the arena of that copy like that of any other file: TFLM takes the offsets of tensors from the
plan and places scratch buffers around them when it runs.
"""

from __future__ import annotations

import time
from dataclasses import field, replace
from functools import cached_property

from predictor.memory.arena import arena
from predictor.memory.arena_report import ArenaReport
from predictor.memory.revision import Revision
from predictor.model.graph import Graph
from predictor.model.metadata import PlanOrigin
from predictor.model.requantization import Range
from predictor.optimization.exact_planner import DEFAULT_TIME_LIMIT_S, solve
from predictor.optimization.offline_plan import without_plan
from predictor.optimization.operator_order import best_order, with_order
from predictor.optimization.overlap import (
    OperatorDistance,
    OverlapLevel,
    distance_of,
    plan_buffers,
)
from predictor.optimization.plan_problem import PlanProblem, Solution
from predictor.optimization.planned import Planned, planned, written
from predictor.optimization.stripes.planning import in_stripes
from predictor.optimization.stripes.search import Choice
from predictor.optimization.task import Instructions, Task, count_macs
from predictor.records import dataclass

_MAX_TRADE_POINTS = 8
_PART_BEFORE_STRIPES = 0.4
"""Of the time, after which the plan of the layers as they are has to be found."""
_PART_FOR_APART = 0.3
"""Of the time, for the plan without overlaps that others are compared with."""
NOTHING_LOWER = "no plan that was found needs less"
_TOO_LARGE = "2 GiB and more are beyond the 32-bit offsets of a plan"
_TOO_MANY = "too many tensors live at once for the solver"


@dataclass(frozen=True)
class OptimizeOptions:
    """What an optimisation may do.

    Attributes:
        overlap: which overlaps are wanted.
        time_limit_s: for all runs of the solver together.
        max_slowdown: most extra instructions as a fraction of all, None for no limit.
        instructions: tells what steering operators to other kernels costs.
        reorder: whether operators may run in another order.
        stripes: whether groups of operators may run in stripes of rows.
        compact: whether channels that never change and idle operators may go.
        input_range: what quantised inputs of the model hold at most, None for all of their type.
    """

    overlap: OverlapLevel = OverlapLevel.DIAGONAL
    time_limit_s: float = DEFAULT_TIME_LIMIT_S
    max_slowdown: float | None = None
    instructions: Instructions = count_macs
    reorder: bool = False
    stripes: bool = False
    compact: bool = True
    input_range: Range | None = None


@dataclass(frozen=True, slots=True)
class TradePoint:
    """A plan of ``height_bytes`` for which ``steered`` operators take extra instructions."""

    height_bytes: int
    extra_instructions: float
    steered: tuple[int, ...]


@dataclass(frozen=True)
class Optimized:
    """A model before and after.

    ``before`` is the arena of the file as it came, ``after`` that of ``graph``. ``solution`` is
    the solver's plan with scratch buffers at places where they fit; TFLM places them itself.
    ``without_overlap_bytes`` is the height of the tensors in the best plan without overlaps.
    ``steered`` are operators of the main subgraph that got other options, which costs
    ``extra_instructions`` of ``instructions``. ``trade`` are plans for fewer instructions, from
    none extra to those of this plan. ``stripes`` are the groups of operators that run in
    stripes, by their indices before. ``is_interrupted``: somebody stopped the solver; this is the
    best that it had. ``kept_because`` says why the model was left as it was, empty where it was
    not.
    """

    graph: Graph
    before: ArenaReport
    after: ArenaReport
    solution: Solution
    without_overlap_bytes: int
    options: OptimizeOptions
    steered: tuple[int, ...]
    instructions: float
    extra_instructions: float
    trade: tuple[TradePoint, ...]
    solver_s: float
    is_interrupted: bool
    origin: PlanOrigin = field(repr=False)
    kept_because: str = ""
    stripes: Choice = ()

    @property
    def is_better(self) -> bool:
        """Whether the arena became smaller."""
        return _need(self.after) < _need(self.before)

    @cached_property
    def distances(self) -> tuple[OperatorDistance, ...]:
        """What is known of each operator of the new model, in its order."""
        return tuple(map(distance_of, self.after.prepared.nodes))

    @property
    def gap_bytes(self) -> int:
        """How much lower a plan may be at most, as far as is known."""
        return max(0, self.after.nonpersistent_bytes - self.solution.bound_bytes)

    @property
    def is_optimal(self) -> bool:
        return self.gap_bytes == 0 and self.solution.is_complete and not self.kept_because


def unchanged(graph: Graph, report: ArenaReport, options: OptimizeOptions, why: str) -> Optimized:
    """A model left as it is, with its arena."""
    revision = report.prepared.revision
    offsets = tuple(buffer.offset for buffer in report.buffers)
    height, bound = report.nonpersistent_bytes, report.lower_bound_bytes
    return Optimized(
        graph=graph,
        before=report,
        after=report,
        solution=Solution(offsets, height, min(height, bound), is_complete=False),
        without_overlap_bytes=PlanProblem(plan_buffers(report.buffers)).tensor_bytes(offsets),
        options=options,
        steered=(),
        instructions=sum(options.instructions(report.prepared)),
        extra_instructions=0,
        trade=(TradePoint(height, 0, ()),),
        solver_s=0.0,
        is_interrupted=False,
        origin=PlanOrigin(revision.kernels, revision.name, revision.commit, "", {}),
        kept_because=why,
    )


def _need(report: ArenaReport) -> tuple[int, int]:
    return report.required_bytes, report.used_bytes


def optimize(
    graph: Graph,
    revision: Revision,
    options: OptimizeOptions | None = None,
    original_sha256: str = "",
    before: ArenaReport | None = None,
) -> Optimized:
    """Finds the best memory plan of a model for a TFLM and a kernel set.

    Args:
        original_sha256: digest of the file that the user has.
        before: the arena of that file, where it is another than the model's.

    Raises:
        RefusedError: TFLM refuses the model.
        UsageError: this TFLM takes no offline plan.
    """
    options = options or OptimizeOptions()
    start = time.monotonic()
    deadline = start + options.time_limit_s
    plain = without_plan(graph)
    report = arena(plain, revision)
    own = report if plain is graph else arena(graph, revision)
    before = own if before is None else before
    apart = PlanProblem(plan_buffers(report.buffers))
    if not report.is_representable:
        return replace(unchanged(graph, own, options, _TOO_LARGE), before=before)
    if not apart.is_of_sane_size:
        return replace(unchanged(graph, own, options, _TOO_MANY), before=before)
    no_overlap = solve(apart, _PART_FOR_APART * options.time_limit_s)
    task = Task(plain, report, options.overlap, options.instructions)
    until = start + _PART_BEFORE_STRIPES * options.time_limit_s if options.stripes else deadline
    best = planned(task, until, options.max_slowdown, known=no_overlap)
    order = None
    if options.reorder and not best.solution.is_interrupted:
        order = best_order(report, options.overlap, until)
    if order is not None:
        moved = with_order(plain, order)
        task = Task(moved, arena(moved, revision), options.overlap, options.instructions, order)
        other = planned(task, until, options.max_slowdown)
        best = _better(best, other)
    changed, after, origin = written(best, original_sha256)
    choice: Choice = ()
    if options.stripes and not best.solution.is_interrupted:
        best, choice = in_stripes(best, after, options.max_slowdown, deadline)
        changed, after, origin = written(best, original_sha256, choice)
    if _need(after) > _need(report):
        # TFLM may place several scratch buffers of an operator higher than the solver.
        kept = unchanged(plain, report, options, NOTHING_LOWER)
        return replace(kept, before=before, is_interrupted=best.solution.is_interrupted)
    trade, is_trade_interrupted = _trade(best, options, deadline)
    return Optimized(
        graph=changed,
        before=before,
        after=after,
        solution=best.solution,
        without_overlap_bytes=apart.tensor_bytes(no_overlap.offsets),
        options=options,
        steered=best.steered,
        instructions=best.task.instructions,
        extra_instructions=best.price,
        stripes=choice,
        trade=trade,
        solver_s=time.monotonic() - start,
        is_interrupted=best.solution.is_interrupted or is_trade_interrupted,
        origin=origin,
    )


def _better(one: Planned, other: Planned) -> Planned:
    """The lower plan, or the cheaper of two as low."""
    best = min(one, other, key=lambda item: (item.solution.height_bytes, item.price))
    is_interrupted = one.solution.is_interrupted or other.solution.is_interrupted
    return replace(best, solution=replace(best.solution, is_interrupted=is_interrupted))


def _trade(
    best: Planned, options: OptimizeOptions, deadline: float
) -> tuple[tuple[TradePoint, ...], bool]:
    """The best plan and those for ever fewer instructions, the cheapest first; and whether
    somebody stopped the solver."""
    points = [TradePoint(best.solution.height_bytes, best.price, best.steered)]
    is_interrupted = best.solution.is_interrupted
    least = best.task.extra_instructions
    while points[0].extra_instructions > least and len(points) < _MAX_TRADE_POINTS:
        if time.monotonic() > deadline or is_interrupted:
            break
        budget = int(points[0].extra_instructions) - 1
        solved = planned(best.task, deadline, most_extra=budget)
        points.insert(0, TradePoint(solved.solution.height_bytes, solved.price, solved.steered))
        is_interrupted = solved.solution.is_interrupted
    return tuple(points), is_interrupted
