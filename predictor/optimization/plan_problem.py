"""What an exact memory planner has to solve, and what it returns.

Two buffers that are alive at the same time lie one above the other, or they overlap as far as an
operator allows it. Both are the same demand: *the upper one begins at least so many bytes above
the start of the lower one*. The bytes are the lower buffer's size, or the distance of an allowed
overlap, which is less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from heapq import heappop, heappush
from typing import NamedTuple

from predictor.errors import ModelError
from predictor.records import dataclass

MOST_PAIRS = 1 << 17
"""Pairs of buffers alive at a common step for which a solver is asked, at most."""
MOST_COMPARED = 1 << 23
"""Pairs of buffers alive at a common step that are looked at to check a plan, at most."""
ALIGNMENT = 16
"""All offsets and sizes are multiples of it, in bytes, as TFLM's arena wants them."""


class PlanBuffer(NamedTuple):
    """A buffer to place: bytes, first and last step of its life.

    ``choice`` is the index of the choice with which alone it exists, None if it always does.
    Scratch buffers are no part of an offline plan: TFLM places them around it when it runs.
    """

    size_bytes: int
    first_use: int
    last_use: int
    choice: int | None = None
    is_scratch: bool = False


class AllowedOverlap(NamedTuple):
    """Buffer ``lower`` (an output) may begin ``distance_bytes`` below ``upper`` (an input).

    With ``only_equal`` it may begin exactly where the input does, or not overlap. ``choice`` is
    the index of the choice that allows it, None if it is always allowed.
    """

    lower: int
    upper: int
    distance_bytes: int
    only_equal: bool = False
    choice: int | None = None


class Separation(NamedTuple):
    """Of a buffer and another one that is alive at the same time.

    Either this one begins ``below_bytes`` or more below the other, or ``above_bytes`` or more
    above it; or, with ``may_be_equal``, at the same byte.
    """

    other: int
    below_bytes: int
    above_bytes: int
    may_be_equal: bool


@dataclass(frozen=True)
class PlanProblem:
    """Buffers in any order, the overlaps that are allowed, and the price of each choice.

    ``known_bound_bytes``: what no plan is below, where it is known from more than the buffers.
    """

    buffers: Sequence[PlanBuffer]
    overlaps: Sequence[AllowedOverlap] = ()
    prices: Sequence[int] = ()
    known_bound_bytes: int | None = None

    @cached_property
    def conflicts(self) -> tuple[tuple[int, int], ...]:
        """Pairs of buffers that are alive at a common step, each once, lower index first."""
        pairs = ((min(i, j), max(i, j)) for i, alive in self._by_first_use() for j in alive)
        return tuple(sorted(pairs))

    def _by_first_use(self) -> Iterator[tuple[int, list[int]]]:
        """Each buffer, with those that began before it and are still alive."""
        buffers = self.buffers
        alive: list[int] = []
        for i in sorted(range(len(buffers)), key=lambda i: buffers[i].first_use):
            first = buffers[i].first_use
            alive = [j for j in alive if buffers[j].last_use >= first]
            yield i, alive
            alive.append(i)

    @property
    def is_of_sane_size(self) -> bool:
        """Whether few enough buffers live at once for a solver; no real model has more."""
        last_uses: list[int] = []
        pairs = 0
        for first, last in sorted((b.first_use, b.last_use) for b in self.buffers):
            while last_uses and last_uses[0] < first:
                heappop(last_uses)
            pairs += len(last_uses)
            heappush(last_uses, last)
        return pairs <= MOST_PAIRS

    def with_choices(self, chosen: frozenset[int]) -> PlanProblem:
        """The problem with the choices made: buffers of others become empty."""
        return PlanProblem(
            [
                buffer._replace(choice=None)
                if buffer.choice is None or buffer.choice in chosen
                else buffer._replace(size_bytes=0, choice=None)
                for buffer in self.buffers
            ],
            [
                overlap._replace(choice=None)
                for overlap in self.overlaps
                if overlap.choice is None or overlap.choice in chosen
            ],
            known_bound_bytes=self.known_bound_bytes,
        )

    def price(self, chosen: frozenset[int]) -> int:
        return sum(self.prices[choice] for choice in chosen)

    @cached_property
    def separations(self) -> tuple[tuple[Separation, ...], ...]:
        """For each buffer, what keeps it from others. For problems without choices."""
        overlaps = {(item.lower, item.upper): item for item in self.overlaps}
        found: list[list[Separation]] = [[] for _ in self.buffers]
        for i, j in self.conflicts:
            if not (self.buffers[i].size_bytes and self.buffers[j].size_bytes):
                continue
            below, above, may_be_equal = self._pair(i, j, overlaps)
            found[i].append(Separation(j, below, above, may_be_equal))
            found[j].append(Separation(i, above, below, may_be_equal))
        return tuple(tuple(items) for items in found)

    def _pair(
        self, i: int, j: int, overlaps: Mapping[tuple[int, int], AllowedOverlap]
    ) -> tuple[int, int, bool]:
        """How far i must begin below j or above j, and whether both may begin together."""
        demands = [self.buffers[i].size_bytes, self.buffers[j].size_bytes]
        may_be_equal = False
        for position, key in enumerate(((i, j), (j, i))):
            overlap = overlaps.get(key)
            if overlap is None:
                continue
            if overlap.only_equal:
                may_be_equal = True
            else:
                demands[position] = min(demands[position], overlap.distance_bytes)
        return demands[0], demands[1], may_be_equal

    def height_bytes(self, offsets: Sequence[int]) -> int:
        """The end of the highest buffer."""
        ends = (o + b.size_bytes for o, b in zip(offsets, self.buffers, strict=True))
        return max(ends, default=0)

    def tensor_bytes(self, offsets: Sequence[int]) -> int:
        """The end of the highest tensor: what an offline plan says, without scratch buffers."""
        pairs = zip(offsets, self.buffers, strict=True)
        return max((o + b.size_bytes for o, b in pairs if not b.is_scratch), default=0)

    def faults(self, offsets: Sequence[int]) -> list[tuple[int, int]]:
        """Pairs of buffers that a plan puts where they may not be. For problems without choices.

        Raises:
            ModelError: too many buffers are alive at once to look at all their pairs.
        """
        overlaps = {(item.lower, item.upper): item for item in self.overlaps}
        found = []
        for i, j in self._over_each_other(offsets):
            below, above, may_be_equal = self._pair(i, j, overlaps)
            is_apart = offsets[i] + below <= offsets[j] or offsets[j] + above <= offsets[i]
            if not (is_apart or (may_be_equal and offsets[i] == offsets[j])):
                found.append((i, j))
        return sorted(found)

    def _over_each_other(self, offsets: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Pairs that share a step and a byte, lower index first."""
        ends = [o + b.size_bytes for o, b in zip(offsets, self.buffers, strict=True)]
        compared = 0
        for i, alive in self._by_first_use():
            compared += len(alive)
            if compared > MOST_COMPARED:
                raise ModelError(
                    "so many tensors of its offline memory plan live at once that the plan cannot "
                    "be checked: no model for a microcontroller has as many"
                )
            start, end = offsets[i], ends[i]
            for j in alive:
                if offsets[j] < end and start < ends[j]:
                    yield min(i, j), max(i, j)

    @cached_property
    def lower_bound_bytes(self) -> int:
        """No plan can be lower, whatever is chosen. Cheap and not always reached.

        At each step the buffers alive need their sum, less what the outputs that may overlap share
        with inputs. Two such outputs may hide in one input together, but for the larger of their
        distances.
        """
        if self.known_bound_bytes is not None:
            return self.known_bound_bytes
        own: dict[int, int] = {}
        for lower, _, distance, only_equal, _ in self.overlaps:
            size = self.buffers[lower].size_bytes
            needed = 0 if only_equal else min(distance, size)
            own[lower] = min(own.get(lower, size), needed)
        changes: dict[int, int] = {}
        sharing: dict[int, list[tuple[int, int]]] = {}
        largest = 0
        for i, buffer in enumerate(self.buffers):
            if buffer.choice is not None:
                continue
            size, first, end = buffer.size_bytes, buffer.first_use, buffer.last_use + 1
            changes[first] = changes.get(first, 0) + size
            changes[end] = changes.get(end, 0) - size
            largest = max(largest, size)
            if i in own:
                sharing.setdefault(first, []).append((size, own[i]))
        alive, bound = 0, largest
        for step in sorted(changes):
            alive += changes[step]
            outputs = sharing.get(step, ())
            shared = sum(size for size, _ in outputs)
            bound = max(bound, alive - shared + max((least for _, least in outputs), default=0))
        return bound


@dataclass(frozen=True)
class Solution:
    """A plan: an offset for each buffer, the choices made, and how good it is known to be.

    ``bound_bytes`` is what no plan that the search may choose can be below. ``is_complete`` is
    False where the solver was stopped before it was done, ``is_interrupted`` tells that it was the
    user who stopped it.
    """

    offsets: tuple[int, ...]
    height_bytes: int
    bound_bytes: int
    chosen: frozenset[int] = frozenset()
    is_complete: bool = True
    is_interrupted: bool = False

    @property
    def is_optimal(self) -> bool:
        return self.height_bytes <= self.bound_bytes

    @property
    def gap_bytes(self) -> int:
        return max(0, self.height_bytes - self.bound_bytes)
