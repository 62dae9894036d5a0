"""TFLM's greedy memory planner, with the same result and less work.

Mirrors ``GreedyMemoryPlanner::CalculateOffsetsIfNeeded``:

- buffers with an offline offset come first, in index order, and stay where they are;
- the others follow by falling size, among equal sizes the highest index first (TFLM fills its
  sort array from the tail and then sorts stably);
- each goes into the first gap, by rising offset, between the buffers that are alive at the same
  time; the gap starts after the highest end seen so far.

TFLM walks all placed buffers for each new one; here an interval index finds those alive at the
same time, so that the work grows with n log n plus the number of real conflicts.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from typing import NamedTuple

from predictor.model.metadata import ONLINE_PLANNED


class BufferRequest(NamedTuple):
    """A buffer to place: bytes (already aligned) and the first and last step at which it lives."""

    size_bytes: int
    first_use: int
    last_use: int
    offline_offset: int = ONLINE_PLANNED


class _LiveIndex:
    """Placed buffers by lifetime; finds those whose lifetime meets an interval.

    A buffer is filed at the nodes of a segment tree over time that cover its lifetime, which
    answers "alive at step t" along one path, and by its first step, which answers "born in
    (a, b]" by bisection. Together these give every overlap once.
    """

    def __init__(self, steps: int) -> None:
        size = 1
        while size < steps:
            size *= 2
        self._size = size
        self._covering: dict[int, list[tuple[int, int]]] = {}
        self._born: dict[int, list[tuple[int, int]]] = {}
        self._birth_steps: list[int] = []

    def add(self, first: int, last: int, span: tuple[int, int]) -> None:
        covering = self._covering
        left, right = first + self._size, last + self._size + 1
        while left < right:
            if left & 1:
                covering.setdefault(left, []).append(span)
                left += 1
            if right & 1:
                right -= 1
                covering.setdefault(right, []).append(span)
            left >>= 1
            right >>= 1
        if first in self._born:
            self._born[first].append(span)
        else:
            self._born[first] = [span]
            insort(self._birth_steps, first)

    def overlapping(self, first: int, last: int) -> list[tuple[int, int]]:
        """(offset, end) of all buffers alive at any step of [first, last], by rising offset."""
        found: list[tuple[int, int]] = []
        node = first + self._size
        while node:
            spans = self._covering.get(node)
            if spans:
                found += spans
            node >>= 1
        steps = self._birth_steps
        for step in steps[bisect_right(steps, first) : bisect_right(steps, last)]:
            found += self._born[step]
        found.sort()
        return found


def plan(buffers: Sequence[BufferRequest]) -> list[int]:
    """Offsets in bytes of the buffers, in their order, as TFLM's greedy planner places them."""
    if not buffers:
        return []
    shift = -min(buffer.first_use for buffer in buffers)
    index = _LiveIndex(max(buffer.last_use for buffer in buffers) + shift + 1)
    offline = [i for i, buffer in enumerate(buffers) if buffer.offline_offset != ONLINE_PLANNED]
    online = [i for i, buffer in enumerate(buffers) if buffer.offline_offset == ONLINE_PLANNED]
    online.sort(key=lambda i: (-buffers[i].size_bytes, -i))
    offsets = [0] * len(buffers)
    for i in offline:
        size, first, last, offset = buffers[i]
        offsets[i] = offset
        index.add(first + shift, last + shift, (offset, offset + size))
    for i in online:
        size, first, last, _ = buffers[i]
        first += shift
        last += shift
        offset = 0
        for start, end in index.overlapping(first, last):
            if start - offset >= size:
                break
            if end > offset:
                offset = end
        offsets[i] = offset
        index.add(first, last, (offset, offset + size))
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
