"""TFLM's greedy memory planner, with the same result and less work.

Mirrors ``GreedyMemoryPlanner::CalculateOffsetsIfNeeded``:

- buffers with an offline offset come first, in index order, and stay where they are;
- the others follow by falling size, among equal sizes the highest index first (TFLM fills its
  sort array from the tail and then sorts stably);
- each goes into the first gap, by rising offset, between the buffers that are alive at the same
  time; the gap starts after the highest end seen so far.

TFLM walks all placed buffers for each new one. Here time is a tree whose leaves are a few steps
each: what buffers cover over a part of it is kept as one union, in which neighbours have merged.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from predictor.errors import ModelError
from predictor.model.metadata import ONLINE_PLANNED

MOST_VISITS = 1 << 22
"""Placed buffers that are looked at for all new ones together; no real model needs half."""
_EVENTS = 32
"""Buffers that begin or end within a leaf of several steps, at most."""


class BufferRequest(NamedTuple):
    """A buffer to place: bytes (already aligned) and the first and last step at which it lives."""

    size_bytes: int
    first_use: int
    last_use: int
    offline_offset: int = ONLINE_PLANNED


class _Union:
    """Bytes that some buffers cover together: disjoint intervals, sorted."""

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def add(self, start: int, end: int) -> bool:
        """Whether there was something to add."""
        starts, ends = self.starts, self.ends
        low = bisect_left(ends, start)
        high = bisect_right(starts, end, low)
        if low < high:
            if starts[low] <= start and end <= ends[low]:
                return False
            start, end = min(start, starts[low]), max(end, ends[high - 1])
        starts[low:high] = [start]
        ends[low:high] = [end]
        return True


class _Placed:
    """Placed buffers by lifetime; finds the bytes that are taken during one.

    Nodes are numbered as in a heap: 1 is the root, the leaves come last. A buffer is kept in the
    largest nodes that it outlives, and where it begins or ends within a leaf, in the leaf's list.
    """

    def __init__(self, buffers: Sequence[BufferRequest]) -> None:
        events: dict[int, int] = {}
        for _, first, last, _ in buffers:
            events[first] = events.get(first, 0) + 1
            events[last] = events.get(last, 0) + 1
        self._leaf_of: dict[int, int] = {}
        self._bounds: list[list[int]] = []
        count = 0
        for step in sorted(events):
            if not self._bounds or count + events[step] > _EVENTS:
                self._bounds.append([step, step])
                count = 0
            count += events[step]
            self._bounds[-1][1] = step
            self._leaf_of[step] = len(self._bounds) - 1
        self._leaves = 1 << (len(self._bounds) - 1).bit_length()
        self._partly: list[list[tuple[int, int, int, int]]] = [[] for _ in self._bounds]
        self._outlived: list[_Union | None] = [None] * (2 * self._leaves)
        self._any: list[_Union | None] = [None] * (2 * self._leaves)
        self._visits = 0

    def add(self, first: int, last: int, start: int, end: int) -> None:
        low, high = self._leaf_of[first], self._leaf_of[last]
        item = start, end, first, last
        if first != self._bounds[low][0] or (low == high and last != self._bounds[low][1]):
            self._partly[low].append(item)
            self._note(low + self._leaves, start, end)
            low += 1
        if low <= high and last != self._bounds[high][1]:
            self._partly[high].append(item)
            self._note(high + self._leaves, start, end)
            high -= 1
        for node in self._nodes(low, high):
            union = self._outlived[node]
            if union is None:
                union = self._outlived[node] = _Union()
            if union.add(start, end):
                self._note(node, start, end)

    def _note(self, node: int, start: int, end: int) -> None:
        """Something lives within a node, and so within those above it."""
        while node:
            union = self._any[node]
            if union is None:
                union = self._any[node] = _Union()
            if not union.add(start, end):
                return
            node >>= 1

    def _nodes(self, low: int, high: int) -> Iterator[int]:
        """The largest nodes that make up the leaves from ``low`` to ``high``."""
        low, high = low + self._leaves, high + self._leaves + 1
        while low < high:
            if low & 1:
                yield low
                low += 1
            if high & 1:
                high -= 1
                yield high
            low, high = low >> 1, high >> 1

    def taken(self, first: int, last: int) -> list[tuple[int, int]]:
        """(start, end) of what is taken at any step of [first, last], by rising start.

        Raises:
            ModelError: there was too much to look at.
        """
        low, high = self._leaf_of[first], self._leaf_of[last]
        found: list[tuple[int, int]] = []
        unions: list[_Union | None] = []
        for leaf in {low, high}:
            found += [
                (start, end)
                for start, end, born, dies in self._partly[leaf]
                if born <= last and dies >= first
            ]
            node = leaf + self._leaves
            while node:
                unions.append(self._outlived[node])
                node >>= 1
        unions += [self._any[node] for node in self._nodes(low + 1, high - 1)]
        for union in unions:
            if union is not None:
                found += zip(union.starts, union.ends, strict=True)
        self._visits += len(found)
        if self._visits > MOST_VISITS:
            raise ModelError(
                "so many tensors live at once that planning the arena takes too long: no model "
                "for a microcontroller has as many"
            )
        found.sort()
        return found


def plan(buffers: Sequence[BufferRequest], first_added_first: bool = False) -> list[int]:
    """Offsets in bytes of the buffers, in their order, as TFLM's greedy planner places them.

    Args:
        first_added_first: among equal sizes the lowest index comes first, as it did in 2020.

    Raises:
        ModelError: more buffers live at once than can be planned in a reasonable time.
    """
    if not buffers:
        return []
    placed = _Placed(buffers)
    offline = [i for i, buffer in enumerate(buffers) if buffer.offline_offset != ONLINE_PLANNED]
    online = [i for i, buffer in enumerate(buffers) if buffer.offline_offset == ONLINE_PLANNED]
    if not first_added_first:
        online.reverse()
    online.sort(key=lambda i: -buffers[i].size_bytes)
    offsets = [0] * len(buffers)
    for i in offline:
        size, first, last, offset = buffers[i]
        offsets[i] = offset
        placed.add(first, last, offset, offset + size)
    for i in online:
        size, first, last, _ = buffers[i]
        offset = 0
        for start, end in placed.taken(first, last):
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
