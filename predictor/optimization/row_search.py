"""Which operators run in rows together: the path through a model whose highest step is lowest.

A path goes from the first operator to the end; each of its edges is an operator by itself or a
group, in some variants that differ in bytes and instructions. What an edge takes is looked at only
where a path wants it: until then it counts with a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from predictor.model.device.stream_group import Group
from predictor.records import dataclass


class Variant(NamedTuple):
    """What an edge takes: bytes of the arena's plan, extra instructions, and the group, if any."""

    height_bytes: int
    extra_instructions: float
    group: Group | None = None


@dataclass(slots=True)
class Edge:
    """Operators from ``begin`` to before ``end``; ``look`` finds the variants of one that has only
    a bound as yet."""

    begin: int
    end: int
    variants: Sequence[Variant]
    look: Callable[[], Sequence[Variant]] | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """Edges from the first operator to the end, each with one of its variants."""

    height_bytes: int
    extra_instructions: float
    edges: tuple[tuple[Edge, Variant], ...]

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(item.group for _, item in self.edges if item.group is not None)


def best_path(
    edges: Sequence[Edge], end: int, most_extra: float, is_late: Callable[[], bool]
) -> Path | None:
    """The lowest path with at most so many extra instructions, of those the one with the fewest.

    Args:
        is_late: whether no more edges shall be looked at; those with a bound are then left out.
    """
    known = list(edges)
    while True:
        found = _lowest(known, end, most_extra)
        if found is None:
            return None
        unseen = [edge for edge, _ in found.edges if edge.look is not None]
        if not unseen:
            return found
        if is_late():
            known = [edge for edge in known if edge.look is None]
            continue
        for edge in unseen:
            assert edge.look is not None
            edge.variants, edge.look = edge.look(), None


def _lowest(edges: Sequence[Edge], end: int, most_extra: float) -> Path | None:
    """By bisection: a higher limit never makes a path dearer."""
    heights = sorted({item.height_bytes for edge in edges for item in edge.variants})
    low, high = 0, len(heights)
    best = None
    while low < high:
        middle = (low + high) // 2
        found = _cheapest(edges, end, heights[middle])
        if found is not None and found.extra_instructions <= most_extra:
            best, high = found, middle
        else:
            low = middle + 1
    return best


def _cheapest(edges: Sequence[Edge], end: int, limit_bytes: int) -> Path | None:
    """The path with the fewest instructions whose every edge keeps to a limit."""
    cost = [0.0] + [float("inf")] * end
    by: list[tuple[Edge, Variant] | None] = [None] * (end + 1)
    for edge in sorted(edges, key=lambda item: (item.begin, item.end)):
        fitting = [item for item in edge.variants if item.height_bytes <= limit_bytes]
        if not fitting:
            continue
        variant = min(fitting, key=lambda item: (item.extra_instructions, item.height_bytes))
        total = cost[edge.begin] + variant.extra_instructions
        if total < cost[edge.end]:
            cost[edge.end], by[edge.end] = total, (edge, variant)
    if by[end] is None and end:
        return None
    taken = []
    at = end
    while at:
        step = by[at]
        assert step is not None
        taken.append(step)
        at = step[0].begin
    height = max((variant.height_bytes for _, variant in taken), default=0)
    return Path(height, cost[end], tuple(reversed(taken)))
