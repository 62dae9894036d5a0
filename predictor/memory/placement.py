"""From planned lifetimes to a report: what the flows of all generations of TFLM share."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from predictor.memory.allocator import ArenaAllocator
from predictor.memory.arena_report import ArenaReport, PlannedBuffer
from predictor.memory.greedy_planner import BufferRequest, lower_bound_bytes
from predictor.memory.lifetimes import Lifetimes, ScratchRequest
from predictor.memory.prepared import PreparedGraph
from predictor.model.graph import Graph, Tensor
from predictor.model.metadata import ONLINE_PLANNED
from predictor.operators.sizes import align_up


def buffer_requests(lives: Lifetimes, alignment: int) -> list[BufferRequest]:
    """What the planner has to place. Mirrors ``CreatePlan``."""
    return [
        BufferRequest(
            align_up(item.size_bytes, alignment), item.first_use, item.last_use, item.offline_offset
        )
        for item in lives.allocations
        if item.needs_allocating
    ]


def planned_buffers(
    graph: Graph,
    scratch: Sequence[ScratchRequest],
    lives: Lifetimes,
    placed: Sequence[int],
    alignment: int,
) -> tuple[PlannedBuffer, ...]:
    """The buffers at the offsets at which the planner placed them.

    Args:
        scratch: the scratch buffers in the order in which ``lives`` has them.
        placed: an offset in bytes for each allocation that needs planning.
    """
    owners: list[tuple[int, Tensor | None, int | None]] = [
        (subgraph.index, tensor, None)
        for subgraph in graph.subgraphs
        for tensor in subgraph.tensors
    ]
    owners += [(item.subgraph_index, None, item.operator_index) for item in scratch]
    remaining = iter(placed)
    return tuple(
        PlannedBuffer(
            offset=next(remaining),
            size_bytes=align_up(item.size_bytes, alignment),
            first_use=item.first_use,
            last_use=item.last_use,
            subgraph_index=subgraph_index,
            tensor=tensor,
            operator_index=operator_index,
            is_offline_planned=item.offline_offset != ONLINE_PLANNED,
        )
        for item, (subgraph_index, tensor, operator_index) in zip(
            lives.allocations, owners, strict=True
        )
        if item.needs_allocating
    )


_SIZES = 1 << 32
"""Values of a ``size_t``."""


def head_bytes(buffers: Sequence[PlannedBuffer]) -> int:
    """Height of the plan, which becomes the head.

    Mirrors ``GreedyMemoryPlanner::GetMaximumMemorySize``, whose ``size_t`` makes what ends in front
    of the arena larger than any arena.
    """
    return max(((buffer.offset + buffer.size_bytes) % _SIZES for buffer in buffers), default=0)


def arena_report(
    prepared: PreparedGraph,
    allocator: ArenaAllocator,
    lives: Lifetimes,
    buffers: tuple[PlannedBuffer, ...],
    recorder_objects: tuple[str, ...],
    split_objects: tuple[str, ...] = (),
) -> ArenaReport:
    """What a finished replay tells."""
    bound, peak_step = lower_bound_bytes(
        [BufferRequest(b.size_bytes, b.first_use, b.last_use) for b in buffers]
    )
    return ArenaReport(
        prepared=prepared,
        nonpersistent_bytes=head_bytes(buffers),
        persistent_bytes=allocator.tail,
        required_bytes=align_up(allocator.required_bytes, allocator.alignment),
        lower_bound_bytes=bound,
        peak_step=peak_step,
        buffers=buffers,
        steps=MappingProxyType(lives.steps),
        persistent_log=allocator.persistent_log,
        recorder_objects=recorder_objects,
        split_objects=split_objects,
        nonpersistent_required_bytes=align_up(
            allocator.nonpersistent_required_bytes, allocator.alignment
        ),
    )
