"""Which planned buffers of a model may overlap, from the rules of its operators.

The output of an operator may overlap an input that nobody reads afterwards (the idea: diagonal
memory optimisation, arXiv 2010.01668). TFLM obeys the offsets of an offline plan without asking
whether buffers overlap, so this needs no change of the runtime.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from predictor.memory.arena_report import ArenaReport, PlannedBuffer
from predictor.memory.prepared import PreparedNode
from predictor.operators.access_order import InputOverlap
from predictor.operators.sizes import align_up
from predictor.optimization.plan_problem import ALIGNMENT, AllowedOverlap, PlanBuffer, PlanProblem
from predictor.records import dataclass

NO_RULE = "no rule: never overlaps"

NodeKey = tuple[int, int]
"""Subgraph and operator index."""


class OverlapLevel(enum.Enum):
    """What overlaps are wanted: none, only outputs that begin where an input does, all."""

    NONE = "none"
    INPLACE = "inplace"
    DIAGONAL = "diagonal"


@dataclass(frozen=True, slots=True)
class OperatorDistance:
    """How far below an input of an operator its output may begin.

    ``distance_bytes`` is at most the output's size, which means that they must not overlap; None
    where no rule is known.
    """

    subgraph_index: int
    index: int
    operator: str
    overlaps: tuple[InputOverlap, ...]
    output_bytes: int

    @property
    def distance_bytes(self) -> int | None:
        """The smallest distance of its inputs."""
        return min((self.bounded(item) for item in self.overlaps), default=None)

    @property
    def rule(self) -> str:
        """The reason, in words."""
        if not self.overlaps:
            return NO_RULE
        return min(self.overlaps, key=lambda item: item.distance_bytes).rule

    def bounded(self, overlap: InputOverlap) -> int:
        """The distance of an input in bytes, at most the output's size."""
        return min(overlap.distance_bytes, self.output_bytes)


def distance_of(node: PreparedNode) -> OperatorDistance:
    """What is known of one operator."""
    context, op = node.context, node.context.op
    output = context.output(0)
    size = 0 if output is None else context.runtime_bytes(output)
    found = tuple(node.row.overlap(context)) if node.row.overlap and len(op.outputs) == 1 else ()
    return OperatorDistance(context.subgraph.index, op.index, op.label, found, size)


def planned_distance_of(node: PreparedNode) -> OperatorDistance:
    """The same for plans: what the kernel allows and TFLM's reference kernel allows, too.

    CMSIS-NN reads somewhat ahead, so its output may come a few bytes nearer. Plans do without, or
    the file would give other results where the reference kernels run it, as on the host.
    """
    found, rule = distance_of(node), node.row.reference.overlap
    if node.row.below is None or rule is None or not found.overlaps:
        return found
    limits = {item.position: item for item in rule(node.context)}
    return replace(
        found,
        overlaps=tuple(
            item._replace(
                distance_bytes=max(item.distance_bytes, limits[item.position].distance_bytes),
                only_equal=item.only_equal or limits[item.position].only_equal,
            )
            for item in found.overlaps
            if item.position in limits
        ),
    )


class Ties:
    """Which buffers of a report an operator may let overlap.

    Only operators of the main subgraph that run once: others run in loops or under conditions,
    with lifetimes that TFLM stretches. Outputs of the model are read after the last operator.
    """

    def __init__(self, report: ArenaReport) -> None:
        self._report = report
        self._buffer_of = {
            (buffer.subgraph_index, buffer.tensor.index): number
            for number, buffer in enumerate(report.buffers)
            if buffer.tensor is not None
        }
        self._nodes = {
            (node.context.subgraph.index, node.context.op.index): node
            for node in report.prepared.nodes
        }

    def at(self, step: int) -> Iterator[tuple[PreparedNode, int, dict[int, int]]]:
        """The node that runs at a step, its output's buffer, and its inputs that die there.

        The inputs map their position to their buffer. Nothing where no overlap is possible.
        """
        key = self._report.steps.get(step)
        node = None if key is None or key[0] else self._nodes[key]
        if node is None or node.row.overlap is None or len(node.context.op.outputs) != 1:
            return
        lower = self._buffer_of.get((0, node.context.op.outputs[0]))
        if lower is None or self._report.buffers[lower].first_use != step:
            return
        dying = {
            position: upper
            for position, tensor in enumerate(node.context.op.inputs)
            if (upper := self._buffer_of.get((0, tensor))) is not None
            and self._report.buffers[upper].last_use == step
            and upper != lower
            and node.context.op.inputs.count(tensor) == 1
            and tensor not in node.context.subgraph.outputs
        }
        if dying:
            yield node, lower, dying


def is_wanted(overlap: InputOverlap, level: OverlapLevel) -> bool:
    """Whether an overlap is one of those wanted."""
    if level is OverlapLevel.NONE:
        return False
    return level is OverlapLevel.DIAGONAL or overlap.distance_bytes == 0


def allowed_overlaps(
    report: ArenaReport,
    level: OverlapLevel,
    distance: Callable[[PreparedNode], OperatorDistance] = planned_distance_of,
) -> list[AllowedOverlap]:
    """All pairs of planned buffers that may overlap, by their index in the report."""
    if level is OverlapLevel.NONE:
        return []
    ties = Ties(report)
    found = []
    for step in sorted(report.steps):
        for node, lower, dying in ties.at(step):
            for overlap in distance(node).overlaps:
                upper = dying.get(overlap.position)
                if upper is None or not is_wanted(overlap, level):
                    continue
                bytes_ = align_up(overlap.distance_bytes, ALIGNMENT)
                if bytes_ < report.buffers[lower].size_bytes or overlap.only_equal:
                    found.append(AllowedOverlap(lower, upper, bytes_, overlap.only_equal))
    return found


def plan_buffers(buffers: tuple[PlannedBuffer, ...]) -> list[PlanBuffer]:
    """Planned buffers as the exact planner takes them."""
    return [
        PlanBuffer(b.size_bytes, b.first_use, b.last_use, is_scratch=b.tensor is None)
        for b in buffers
    ]


def problem_of(report: ArenaReport, level: OverlapLevel) -> PlanProblem:
    """The plan that is to be found for a model, without choices."""
    return PlanProblem(plan_buffers(report.buffers), allowed_overlaps(report, level))


def plan_faults(
    report: ArenaReport,
    distance: Callable[[PreparedNode], OperatorDistance] = planned_distance_of,
) -> list[tuple[PlannedBuffer, PlannedBuffer]]:
    """Pairs of buffers that a report's plan puts where kernels do not allow them to be.

    Views are no fault where they lie on the rows of their tensor that they hold.
    """
    from predictor.optimization.stripes.clusters import clusters_of  # each command imports this

    buffers = report.buffers
    clusters = clusters_of(
        report,
        lambda view, parent, rows: (
            buffers[view].offset == buffers[parent].offset + rows.offset_bytes
        ),
    )
    allowed = allowed_overlaps(report, OverlapLevel.DIAGONAL, distance)
    pairs = clusters.faults(allowed, [buffer.offset for buffer in buffers])
    return [(buffers[i], buffers[j]) for i, j in pairs]


def unsafe_overlaps(report: ArenaReport) -> list[tuple[PlannedBuffer, PlannedBuffer]]:
    """Pairs of buffers that an offline plan puts over each other although both are needed.

    Judged by the kernels of the report's revision: an overlap for which they have no rule counts.
    """
    if not any(buffer.is_offline_planned for buffer in report.buffers):
        return []
    return plan_faults(report, distance_of)


def step_needs(report: ArenaReport) -> dict[int, int]:
    """Bytes that are alive at each step at which buffers come or go, but for what the operator's
    output may share with an input."""
    ties = Ties(report)
    return {step: alive - _shared_bytes(report, ties, step) for alive, step in _alive_bytes(report)}


def optimized_bound_bytes(report: ArenaReport) -> int:
    """A bound on the planned bytes after optimisation, without looking for a plan.

    At each step what is alive must fit, but for what the operator's output may share with an
    input. Only steps above the best bound so far are looked at: a handful in most models.
    """
    sums = sorted(_alive_bytes(report), reverse=True)
    ties = Ties(report)
    best = 0
    for needed, step in sums:
        if needed <= best:
            break
        best = max(best, needed - _shared_bytes(report, ties, step))
    return best


def _alive_bytes(report: ArenaReport) -> Iterator[tuple[int, int]]:
    """(bytes alive, step) for each step at which buffers come or go."""
    changes: dict[int, int] = {}
    for buffer in report.buffers:
        changes[buffer.first_use] = changes.get(buffer.first_use, 0) + buffer.size_bytes
        changes[buffer.last_use + 1] = changes.get(buffer.last_use + 1, 0) - buffer.size_bytes
    alive = 0
    for step in sorted(changes):
        alive += changes[step]
        yield alive, step


def _shared_bytes(report: ArenaReport, ties: Ties, step: int) -> int:
    """What the output of the operator at a step may share with one of its inputs, at most."""
    shared = 0
    for node, lower, dying in ties.at(step):
        size = report.buffers[lower].size_bytes
        for overlap in [*distance_of(node).overlaps, *_steered_overlaps(node)]:
            if overlap.position in dying:
                shared = max(shared, size - align_up(overlap.distance_bytes, ALIGNMENT))
    return shared


def _steered_overlaps(node: PreparedNode) -> Sequence[InputOverlap]:
    """The overlaps of an operator if its options are changed without effect on its results."""
    options = node.steered_options
    if options is None or node.row.overlap is None:
        return ()
    return node.row.overlap(node.context.with_operator(replace(node.context.op, options=options)))
