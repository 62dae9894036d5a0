"""Offline plans as metadata of a model: their entries, what they overlap, models without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from predictor.memory.arena_report import ArenaReport, PlannedBuffer
from predictor.model.graph import Graph
from predictor.model.metadata import OFFLINE_PLAN, ONLINE_PLANNED, PLAN_ORIGIN
from predictor.optimization.overlap import planned_distance_of


def without_plan(graph: Graph) -> Graph:
    """The model without an offline plan, as TFLM's own planner sees it."""
    kept = {k: v for k, v in graph.metadata.items() if k not in (OFFLINE_PLAN, PLAN_ORIGIN)}
    return graph if len(kept) == len(graph.metadata) else replace(graph, metadata=kept)


def tensor_offsets(
    graph: Graph, buffers: Sequence[PlannedBuffer], offsets: Sequence[int]
) -> list[int]:
    """The entries of an offline plan: one for each tensor of all subgraphs.

    Variable tensors stay with TFLM, which gives them persistent memory. As TFLM looks up those of
    all subgraphs among the offsets of the first, no tensor of the same index may have one there.
    """
    found = {
        (buffer.subgraph_index, buffer.tensor.index): offset
        for buffer, offset in zip(buffers, offsets, strict=True)
        if buffer.tensor is not None
    }
    held = {
        tensor.index
        for subgraph in graph.subgraphs[1:]
        for tensor in subgraph.tensors
        if tensor.is_variable
    }
    return [
        ONLINE_PLANNED
        if tensor.is_variable or (subgraph.index == 0 and tensor.index in held)
        else found.get((subgraph.index, tensor.index), ONLINE_PLANNED)
        for subgraph in graph.subgraphs
        for tensor in subgraph.tensors
    ]


def used_distances(report: ArenaReport) -> dict[int, int]:
    """For each operator of the main subgraph whose output overlaps an input: its distance."""
    place = {
        buffer.tensor.index: buffer
        for buffer in report.buffers
        if buffer.tensor is not None and not buffer.subgraph_index
    }
    found = {}
    for node in report.prepared.nodes:
        op = node.context.op
        if node.context.subgraph.index or len(op.outputs) != 1 or op.outputs[0] not in place:
            continue
        lower = place[op.outputs[0]]
        for overlap in planned_distance_of(node).overlaps:
            upper = place.get(op.inputs[overlap.position])
            if upper is not None and _meet(lower, upper):
                found[op.index] = overlap.distance_bytes
    return found


def _meet(first: PlannedBuffer, second: PlannedBuffer) -> bool:
    return (
        first.offset < second.offset + second.size_bytes
        and second.offset < first.offset + first.size_bytes
        and first.first_use <= second.last_use
        and second.first_use <= first.last_use
    )
