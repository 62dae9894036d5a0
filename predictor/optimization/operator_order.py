"""The order of operators in which the least memory is needed at once.

Any topological order computes the same. The search walks over sets of operators that have run
(idea: arXiv 1910.05110): what is alive depends on the set alone, so that of all ways to a set only
the one with the lowest peak matters. It is exact as long as the sets of one size are few; of more
only the most promising are kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import NamedTuple

from predictor.memory.arena_report import ArenaReport
from predictor.model.graph import Graph
from predictor.operators.sizes import align_up
from predictor.optimization.overlap import NodeKey, OverlapLevel, is_wanted, planned_distance_of
from predictor.optimization.plan_problem import ALIGNMENT
from predictor.records import dataclass

WIDTHS = (16, 400)
"""Sets of operators of one size above which a pass of the search keeps only the most promising.

What the first pass finds lets the second leave out all that is no better.
"""


@dataclass(frozen=True, slots=True)
class _Step:
    """One operator: bytes it adds while it runs, and what it needs and frees.

    ``before`` is the set (bits) of operators that must run first. ``reads`` are its inputs: (bytes,
    set of readers of the tensor, bytes that the output may share with it if it dies here).
    """

    output_bytes: int
    kept_bytes: int
    scratch_bytes: int
    before: int
    reads: tuple[tuple[int, int, int], ...]


class _State(NamedTuple):
    """The best way to a set of operators that have run: its peak, what is alive after it."""

    peak: int
    alive: int
    ready: frozenset[int]
    last: int
    parent: _State | None


def with_order(graph: Graph, order: Sequence[int]) -> Graph:
    """The model with the operators of the main subgraph in another order."""
    operators = tuple(
        replace(graph.main.operators[old], index=new) for new, old in enumerate(order)
    )
    main = replace(graph.main, operators=operators)
    return replace(graph, subgraphs=(main, *graph.subgraphs[1:]))


def best_order(
    report: ArenaReport, level: OverlapLevel, deadline: float = inf
) -> tuple[int, ...] | None:
    """The order of the operators that needs least, by old index; None to keep the order.

    Args:
        deadline: of ``time.monotonic()``, after which the best order so far is the result.
    """
    main = report.prepared.graph.main
    nodes = report.prepared.nodes
    if any(node.row.has_effects for node in nodes if node.context.subgraph is main):
        return None
    if any(tensor.is_variable for tensor in main.tensors):
        return None
    steps = _steps(report, level)
    inputs = sum(size for tensor, size in _sizes(report).items() if tensor in main.inputs)
    known = _peak(steps, range(len(steps)), inputs)
    best = None
    for width in WIDTHS:
        found = _search(steps, inputs, known, width, deadline)
        if found is not None:
            best, known = found, _peak(steps, found, inputs)
    return best


def _needed(step: _Step, alive: int, done: int) -> tuple[int, int]:
    """Bytes needed while an operator runs, and bytes alive after it. ``done`` includes it."""
    freed = shared = 0
    for size, readers, may_share in step.reads:
        if not readers & ~done:
            freed += size
            shared = max(shared, may_share)
    needed = alive + step.output_bytes + step.scratch_bytes - shared
    return needed, alive + step.kept_bytes - freed


def _peak(steps: Sequence[_Step], order: Iterable[int], alive: int) -> int:
    """The most bytes needed at once."""
    peak, done = alive, 0
    for index in order:
        done |= 1 << index
        needed, alive = _needed(steps[index], alive, done)
        peak = max(peak, needed)
    return peak


def _search(
    steps: Sequence[_Step], inputs: int, known: int, width: int, deadline: float
) -> tuple[int, ...] | None:
    """The best order found with a peak below ``known``; the best of all if never cut."""
    followers: list[list[int]] = [[] for _ in steps]
    for index, step in enumerate(steps):
        for before in _members(step.before):
            followers[before].append(index)
    first = frozenset(index for index, step in enumerate(steps) if not step.before)
    states = {0: _State(inputs, inputs, first, -1, None)}
    for _ in steps:
        following: dict[int, _State] = {}
        for done, state in states.items():
            if time.monotonic() > deadline:
                return None
            for index in sorted(state.ready):
                now = done | 1 << index
                needed, alive = _needed(steps[index], state.alive, now)
                peak = max(state.peak, needed)
                other = following.get(now)
                if peak >= known or (other is not None and other.peak <= peak):
                    continue
                ready = set(state.ready) - {index}
                ready |= {i for i in followers[index] if not steps[i].before & ~now}
                following[now] = _State(peak, alive, frozenset(ready), index, state)
        if len(following) > width:
            kept = sorted(following.items(), key=lambda item: (item[1].peak, item[1].alive))
            following = dict(kept[:width])
        states = following
    best = min(states.values(), key=lambda state: state.peak, default=None)
    return None if best is None else _path(best)


def _members(bits: int) -> Iterator[int]:
    """The numbers of the bits that are set."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def _path(state: _State) -> tuple[int, ...]:
    order = []
    at: _State | None = state
    while at is not None and at.last >= 0:
        order.append(at.last)
        at = at.parent
    return tuple(reversed(order))


def _sizes(report: ArenaReport) -> dict[int, int]:
    """Planned bytes of the tensors of the main subgraph."""
    return {
        buffer.tensor.index: buffer.size_bytes
        for buffer in report.buffers
        if buffer.tensor is not None and not buffer.subgraph_index
    }


def _steps(report: ArenaReport, level: OverlapLevel) -> list[_Step]:
    main = report.prepared.graph.main
    sizes = _sizes(report)
    scratch: dict[NodeKey, int] = {}
    for buffer in report.buffers:
        if buffer.operator_index is not None:
            key = buffer.subgraph_index, buffer.operator_index
            scratch[key] = scratch.get(key, 0) + buffer.size_bytes
    writer, readers = _links(report)
    found = []
    for node in report.prepared.nodes:
        if node.context.subgraph.index:
            continue
        op = node.context.op
        shared = {}
        for overlap in planned_distance_of(node).overlaps if len(op.outputs) == 1 else ():
            if is_wanted(overlap, level):
                size = sizes.get(op.outputs[0], 0)
                ahead = align_up(overlap.distance_bytes, ALIGNMENT)
                shared[op.inputs[overlap.position]] = max(0, size - ahead)
        tensors = [tensor for tensor in dict.fromkeys(op.inputs) if tensor in sizes]
        before = 0
        for tensor in op.inputs:
            before |= writer.get(tensor, 0)
        kept = -1  # all bits: an output of the model does not die by being read
        found.append(
            _Step(
                output_bytes=sum(sizes.get(tensor, 0) for tensor in op.outputs),
                kept_bytes=sum(
                    sizes.get(tensor, 0)
                    for tensor in op.outputs
                    if readers.get(tensor) or tensor in main.outputs
                ),
                scratch_bytes=scratch.get((0, op.index), 0),
                before=before,
                reads=tuple(
                    (
                        sizes[tensor],
                        kept if tensor in main.outputs else readers[tensor],
                        shared.get(tensor, 0),
                    )
                    for tensor in tensors
                ),
            )
        )
    return found


def _links(report: ArenaReport) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """The operator that writes each tensor and those that read it, as sets."""
    main = report.prepared.graph.main
    writer: dict[int, int] = {}
    readers: dict[int, int] = {}
    for op in main.operators:
        for tensor in op.inputs:
            if tensor >= 0:
                readers[tensor] = readers.get(tensor, 0) | 1 << op.index
        for tensor in op.outputs:
            writer[tensor] = writer.get(tensor, 0) | 1 << op.index
    return writer, readers
