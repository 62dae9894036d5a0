"""TFLM's greedy memory planner, with the same result and less work.

Mirrors ``GreedyMemoryPlanner::CalculateOffsetsIfNeeded``:

- buffers with an offline offset come first, in index order, and stay where they are;
- the others follow by falling size, among equal sizes the highest index first (TFLM fills its
  sort array from the tail and then sorts stably);
- each goes into the first gap, by rising offset, between the buffers that are alive at the same
  time; the gap starts after the highest end seen so far.

TFLM walks all placed buffers for each new one; here only those that live at about the same time are
looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import NamedTuple

from predictor.model.metadata import ONLINE_PLANNED


class BufferRequest(NamedTuple):
    """A buffer to place: bytes (already aligned) and the first and last step at which it lives."""

    size_bytes: int
    first_use: int
    last_use: int
    offline_offset: int = ONLINE_PLANNED


class _Placed:
    """Placed buffers by lifetime; finds those whose lifetime meets an interval.

    Time is cut into about as many spans as each span has steps. A buffer is filed in all spans in
    which it lives, and in that in which it is born: those that meet an interval live in its first
    span or are born in a later one.
    """

    def __init__(self, steps: int) -> None:
        self._length = isqrt(steps) + 1
        spans = range(steps // self._length + 1)
        self._living: list[list[tuple[int, int, int, int]]] = [[] for _ in spans]
        self._born: list[list[tuple[int, int, int, int]]] = [[] for _ in spans]

    def add(self, first: int, last: int, offset: int, end: int) -> None:
        item = (offset, end, first, last)
        span = first // self._length
        self._born[span].append(item)
        for living in self._living[span : last // self._length + 1]:
            living.append(item)

    def alive(self, first: int, last: int) -> list[tuple[int, int]]:
        """(offset, end) of all buffers alive at any step of [first, last], by rising offset."""
        span, last_span = first // self._length, last // self._length
        items = self._living[span]
        if last_span > span:
            items = items + [item for born in self._born[span + 1 : last_span + 1] for item in born]
        found = [
            (offset, end) for offset, end, born, dies in items if born <= last and dies >= first
        ]
        found.sort()
        return found


def plan(buffers: Sequence[BufferRequest], first_added_first: bool = False) -> list[int]:
    """Offsets in bytes of the buffers, in their order, as TFLM's greedy planner places them.

    Args:
        first_added_first: among equal sizes the lowest index comes first, as it did in 2020.
    """
    if not buffers:
        return []
    shift = -min(buffer.first_use for buffer in buffers)
    placed = _Placed(max(buffer.last_use for buffer in buffers) + shift + 1)
    offline = [i for i, buffer in enumerate(buffers) if buffer.offline_offset != ONLINE_PLANNED]
    online = [i for i, buffer in enumerate(buffers) if buffer.offline_offset == ONLINE_PLANNED]
    if not first_added_first:
        online.reverse()
    online.sort(key=lambda i: -buffers[i].size_bytes)
    offsets = [0] * len(buffers)
    for i in offline:
        size, first, last, offset = buffers[i]
        offsets[i] = offset
        placed.add(first + shift, last + shift, offset, offset + size)
    for i in online:
        size, first, last, _ = buffers[i]
        first += shift
        last += shift
        offset = 0
        for start, end in placed.alive(first, last):
            if start - offset >= size:
                break
            if end > offset:
                offset = end
        offsets[i] = offset
        placed.add(first, last, offset, offset + size)
    return offsets


def planned_bytes(buffers: Sequence[BufferRequest], offsets: Sequence[int]) -> int:
    """Height of a plan. Mirrors ``GreedyMemoryPlanner::GetMaximumMemorySize``."""
    return max(
        (offset + buffer.size_bytes for buffer, offset in zip(buffers, offsets, strict=True)),
        default=0,
    )


def lower_bound_bytes(buffers: Sequence[BufferRequest]) -> tuple[int, int]:
    """(bytes, step): the largest sum of buffers alive at one step, and the first such step.

    No plan in which live buffers are disjoint can be lower.
    """
    changes: dict[int, int] = {}
    for size, first, last, _ in buffers:
        changes[first] = changes.get(first, 0) + size
        changes[last + 1] = changes.get(last + 1, 0) - size
    best, best_step, live = 0, 0, 0
    for step in sorted(changes):
        live += changes[step]
        if live > best:
            best, best_step = live, step
    return best, best_step
