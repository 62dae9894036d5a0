"""One model to be planned: as it is, and with all operators steered that may be.

A steered operator gets options that change nothing but which kernel runs, one whose output may
overlap its input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from predictor.memory.arena import arena
from predictor.memory.arena_report import ArenaReport, PlannedBuffer
from predictor.memory.prepared import PreparedGraph
from predictor.model.graph import Graph, Operator
from predictor.optimization.overlap import (
    OperatorDistance,
    OverlapLevel,
    allowed_overlaps,
    plan_buffers,
    planned_distance_of,
)
from predictor.optimization.plan_problem import ALIGNMENT, PlanProblem
from predictor.optimization.stripes.clusters import Clusters, clusters_of
from predictor.records import dataclass

_UNKNOWN_EXTRA = 0.15
"""Extra work of a steered operator where its instructions are not known: measured are from 0.10 at
64 and more channels to 0.35 at 8."""

Instructions = Callable[[PreparedGraph], Sequence[float]]
"""Instructions of each operator of a prepared model, in its order."""


def count_macs(prepared: PreparedGraph) -> list[float]:
    """Work in place of instructions, where nothing better is known."""
    return [float(node.row.count(node.context).macs) for node in prepared.nodes]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An operator that may be steered, and what that costs."""

    index: int
    price: int


class Task:
    """One model to be planned: as it is, and with all steerable operators steered.

    ``original``: the task of the model of which this one has groups of operators in stripes.
    ``instructions`` are those of that model, ``extra_instructions`` what this one takes more.
    """

    def __init__(
        self,
        graph: Graph,
        report: ArenaReport,
        overlap: OverlapLevel,
        instructions: Instructions,
        order: tuple[int, ...] = (),
        *,
        original: Task | None = None,
    ) -> None:
        self.graph = graph
        self.report = report
        self.order = order
        self._overlap = overlap
        self._count = instructions
        self._has_views = original is not None
        self.variant = report
        self.candidates: list[Candidate] = []
        counts = instructions(report.prepared)
        own = sum(counts)
        self.instructions: float = own if original is None else original.instructions
        self.extra_instructions = own - self.instructions
        if overlap is OverlapLevel.DIAGONAL:
            self._find_candidates(counts)

    def _find_candidates(self, counts: Sequence[float]) -> None:
        """Steerable operators whose output may then overlap, but may not as it is."""
        changed = {}
        for node in self.report.prepared.nodes:
            context = node.context
            if context.subgraph.index or context.scratch_bytes:
                continue
            options = node.steered_options
            if options is not None and not _overlaps(planned_distance_of(node)):
                changed[context.op.index] = options
        if not changed:
            return
        revision = self.report.prepared.revision
        self.variant = arena(with_options(self.graph, changed), revision)
        steered_counts = self._count(self.variant.prepared)
        for node, old, new in zip(self.variant.prepared.nodes, counts, steered_counts, strict=True):
            index = node.context.op.index
            in_main = not node.context.subgraph.index
            if in_main and index in changed and _overlaps(planned_distance_of(node)):
                extra = new - old if new > old else old * _UNKNOWN_EXTRA
                self.candidates.append(Candidate(index, max(1, round(extra))))

    def count(self, prepared: PreparedGraph) -> Sequence[float]:
        """Instructions of each operator of a prepared model."""
        return self._count(prepared)

    def striped(self, graph: Graph, report: ArenaReport) -> Task:
        """The task of this model with groups of operators in stripes."""
        return Task(graph, report, self._overlap, self._count, self.order, original=self)

    def problem(self) -> PlanProblem:
        """Tensors and scratch buffers of the variant; what only steering brings is a choice."""
        choice_of = {item.index: choice for choice, item in enumerate(self.candidates)}
        buffers = [
            item._replace(choice=choice_of.get(self._scratch_owner(buffer)))
            for item, buffer in zip(
                plan_buffers(self.variant.buffers), self.variant.buffers, strict=True
            )
        ]
        writer = {tensor: op.index for op in self.graph.main.operators for tensor in op.outputs}
        overlaps = []
        for overlap in allowed_overlaps(self.variant, self._overlap):
            tensor = self.variant.buffers[overlap.lower].tensor
            owner = -1 if tensor is None else writer[tensor.index]
            overlaps.append(overlap._replace(choice=choice_of.get(owner)))
        return self.clusters.problem(buffers, overlaps, [item.price for item in self.candidates])

    @cached_property
    def clusters(self) -> Clusters:
        """The buffers of the variant that are placed together."""
        return clusters_of(self.variant, lambda *_: self._has_views)

    def _scratch_owner(self, buffer: PlannedBuffer) -> int:
        """Index of the operator of the main subgraph whose scratch buffer it is, -1 for none."""
        if buffer.operator_index is None or buffer.subgraph_index:
            return -1
        return buffer.operator_index

    def extended(self, offsets: Sequence[int]) -> tuple[int, ...]:
        """Offsets of the plain model's buffers for those of the variant."""
        known = dict(zip(map(_key, self.report.buffers), offsets, strict=True))
        return tuple(known.get(_key(buffer), 0) for buffer in self.variant.buffers)


def _key(buffer: PlannedBuffer) -> tuple[int, int, int]:
    """What names a buffer in all variants of a model. Candidates have no scratch of their own."""
    if buffer.tensor is not None:
        return buffer.subgraph_index, 0, buffer.tensor.index
    return buffer.subgraph_index, 1, buffer.operator_index or 0


def _overlaps(distance: OperatorDistance) -> bool:
    """Whether an overlap of at least one unit of alignment is possible."""
    return any(
        distance.bounded(item) <= distance.output_bytes - ALIGNMENT for item in distance.overlaps
    )


def with_options(graph: Graph, options: Mapping[int, Mapping[str, object]]) -> Graph:
    """The model with other options for operators of the main subgraph."""
    operators: tuple[Operator, ...] = tuple(
        replace(op, options=options[op.index]) if op.index in options else op
        for op in graph.main.operators
    )
    main = replace(graph.main, operators=operators)
    return replace(graph, subgraphs=(main, *graph.subgraphs[1:]))
