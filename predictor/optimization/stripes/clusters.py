"""Plans in which views lie within their tensors: a tensor with its views is one buffer to place.

A tensor of which only views are read dies row by row, and one that is joined from parts comes to
life part by part. So two such buffers keep the distance that their rows need, which is less than
their sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from predictor.memory.arena_report import ArenaReport, PlannedBuffer
from predictor.operators.sizes import align_up
from predictor.optimization.plan_problem import (
    ALIGNMENT,
    AllowedOverlap,
    PlanBuffer,
    PlanProblem,
)
from predictor.optimization.stripes.views import View, views_of
from predictor.records import dataclass

IsPlaced = Callable[[int, int, View], bool]
"""Whether the buffer of a view (by index) lies where its parent's (by index) holds its bytes."""


class Part(NamedTuple):
    """Bytes of a buffer, from ``begin`` in it on, that are needed from a step to another one."""

    buffer: int
    begin: int
    size_bytes: int
    first_use: int
    last_use: int


@dataclass(frozen=True)
class Clusters:
    """Planned buffers, those together that have fixed distances.

    ``home`` and ``shift`` say for each buffer in which cluster it is, by the buffer at its start,
    and how many bytes behind it. ``parts`` are the bytes of all buffers with their lives.
    """

    home: Sequence[int]
    shift: Sequence[int]
    parts: Sequence[Part]

    @property
    def roots(self) -> list[int]:
        """The buffers at the start of clusters: what is to be placed."""
        return [index for index, home in enumerate(self.home) if index == home]

    @cached_property
    def is_plain(self) -> bool:
        """Whether each buffer is a cluster of its own."""
        return all(index == home for index, home in enumerate(self.home))

    def offsets(self, placed: Sequence[int]) -> tuple[int, ...]:
        """Offsets of all buffers where the clusters are placed."""
        of_root = dict(zip(self.roots, placed, strict=True))
        return tuple(
            of_root[home] + shift for home, shift in zip(self.home, self.shift, strict=True)
        )

    def placed(self, offsets: Sequence[int]) -> tuple[int, ...]:
        """Offsets of the clusters where all buffers have offsets."""
        return tuple(offsets[root] for root in self.roots)

    def problem(
        self,
        buffers: Sequence[PlanBuffer],
        overlaps: Sequence[AllowedOverlap],
        prices: Sequence[int] = (),
    ) -> PlanProblem:
        """What a planner has to solve: clusters, and how near to each other they may be."""
        if self.is_plain:
            return PlanProblem(buffers, overlaps, prices)
        number = {root: place for place, root in enumerate(self.roots)}
        found = [buffers[root] for root in self.roots]
        for part in self.parts:
            place = number[self.home[part.buffer]]
            one = found[place]
            end = self.shift[part.buffer] + part.begin + part.size_bytes
            found[place] = one._replace(
                size_bytes=max(one.size_bytes, align_up(end, ALIGNMENT)),
                first_use=min(one.first_use, part.first_use),
                last_use=max(one.last_use, part.last_use),
            )
        joined = {home for index, home in enumerate(self.home) if index != home}
        own = [
            item._replace(lower=number[item.lower], upper=number[item.upper])
            for item in overlaps
            if not {self.home[item.lower], self.home[item.upper]} & joined
        ]
        near = [
            item._replace(lower=number[item.lower], upper=number[item.upper])
            for item in self._near(overlaps, joined, [found[number[home]] for home in self.home])
        ]
        return PlanProblem(found, [*own, *near], prices, self._bound_bytes(buffers, overlaps))

    def _near(
        self, overlaps: Sequence[AllowedOverlap], joined: set[int], sizes: Sequence[PlanBuffer]
    ) -> Iterator[AllowedOverlap]:
        """What clusters may overlap, for pairs with one that has views.

        A choice counts where without it they could not overlap, and where it is the only one.
        """
        plain = self._distances([item for item in overlaps if item.choice is None], joined)
        chosen = self._distances([item._replace(choice=None) for item in overlaps], joined)
        choices: dict[tuple[int, int], set[int]] = {}
        for item in overlaps:
            if item.choice is not None:
                pair = self.home[item.lower], self.home[item.upper]
                choices.setdefault(pair, set()).add(item.choice)
        for (lower, upper), distance in plain.items():
            own = choices.get((lower, upper), set())
            if len(own) == 1 and distance >= sizes[lower].size_bytes:
                yield AllowedOverlap(lower, upper, chosen[lower, upper], choice=min(own))
            else:
                yield AllowedOverlap(lower, upper, distance)

    def faults(
        self, overlaps: Sequence[AllowedOverlap], offsets: Sequence[int]
    ) -> list[tuple[int, int]]:
        """Pairs of buffers, by index, that a plan puts where they may not be."""
        problem = PlanProblem(self._buffers, self._between_parts(overlaps))
        found = problem.faults([offsets[part.buffer] + part.begin for part in self.parts])
        pairs = ((self.parts[i].buffer, self.parts[j].buffer) for i, j in found)
        return sorted({pair for pair in pairs if self.home[pair[0]] != self.home[pair[1]]})

    @cached_property
    def _buffers(self) -> list[PlanBuffer]:
        return [PlanBuffer(part.size_bytes, part.first_use, part.last_use) for part in self.parts]

    def _between_parts(self, overlaps: Sequence[AllowedOverlap]) -> list[AllowedOverlap]:
        """The overlaps of buffers that need no choice, for their parts."""
        parts_of: dict[int, list[int]] = {}
        for number, part in enumerate(self.parts):
            parts_of.setdefault(part.buffer, []).append(number)
        return [
            AllowedOverlap(
                lower,
                upper,
                item.distance_bytes - self.parts[lower].begin + self.parts[upper].begin,
                item.only_equal,
            )
            for item in overlaps
            if item.choice is None
            for lower in parts_of[item.lower]
            for upper in parts_of[item.upper]
        ]

    def _distances(
        self, overlaps: Sequence[AllowedOverlap], joined: set[int]
    ) -> Mapping[tuple[int, int], int]:
        """How far clusters must begin below others, for pairs with one that has views."""
        problem = PlanProblem(self._buffers, self._between_parts(overlaps))
        roots = self.roots
        found: dict[tuple[int, int], int] = {}
        for one in joined:
            for other in roots:
                if one != other:
                    found[one, other] = found[other, one] = 0  # at the same place at least
        for number, separations in enumerate(problem.separations):
            part = self.parts[number]
            home = self.home[part.buffer]
            start = self.shift[part.buffer] + part.begin
            for other, below, _, _ in separations:
                against = self.parts[other]
                pair = home, self.home[against.buffer]
                if pair in found:
                    begin = self.shift[against.buffer] + against.begin
                    found[pair] = max(found[pair], start + below - begin)
        return {pair: align_up(distance, ALIGNMENT) for pair, distance in found.items()}

    def _bound_bytes(
        self, buffers: Sequence[PlanBuffer], overlaps: Sequence[AllowedOverlap]
    ) -> int:
        """What no plan is below: at each step the bytes that are needed, each once, but for what
        outputs may share with inputs."""
        sharing: dict[int, int] = {}
        for item in {item.lower: item for item in overlaps}.values():
            lower = buffers[item.lower]
            sharing[lower.first_use] = sharing.get(lower.first_use, 0) + lower.size_bytes
        bound = 0
        for step in sorted({part.first_use for part in self.parts}):
            needed: dict[int, list[tuple[int, int]]] = {}
            for part in self.parts:
                if part.first_use <= step <= part.last_use and buffers[part.buffer].choice is None:
                    start = self.shift[part.buffer] + part.begin
                    needed.setdefault(self.home[part.buffer], []).append(
                        (start, start + part.size_bytes)
                    )
            alive = sum(map(_covered, needed.values()))
            bound = max(bound, alive - sharing.get(step, 0))
        return bound


def _covered(spans: list[tuple[int, int]]) -> int:
    """Bytes that some of the spans cover."""
    total = reached = 0
    for begin, end in sorted(spans):
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total


def clusters_of(report: ArenaReport, is_placed: IsPlaced = lambda *_: True) -> Clusters:
    """The clusters of a model's planned buffers.

    Args:
        is_placed: which views lie where their parents hold their bytes; all where a plan is to be
            made that puts them there.
    """
    buffers = report.buffers
    number = {
        buffer.tensor.index: index
        for index, buffer in enumerate(buffers)
        if buffer.tensor is not None and not buffer.subgraph_index
    }
    views = {
        number[index]: view._replace(parent=number[view.parent])
        for index, view in views_of(report.prepared.graph.main).items()
        if index in number
        and view.parent in number
        and is_placed(number[index], number[view.parent], view)
    }
    home, shift = [], []
    for index in range(len(buffers)):
        at, behind = index, 0
        while at in views:
            at, behind = views[at].parent, behind + views[at].offset_bytes
        home.append(at)
        shift.append(behind)
    rows: dict[int, list[int]] = {}
    for index, view in views.items():
        if not view.is_part:
            rows.setdefault(view.parent, []).append(index)
    parts = [
        part
        for index, buffer in enumerate(buffers)
        for part in _parts(report, index, buffer, rows.get(index, ()), views)
    ]
    return Clusters(home, shift, parts)


def _parts(
    report: ArenaReport,
    index: int,
    buffer: PlannedBuffer,
    rows: Sequence[int],
    views: Mapping[int, View],
) -> list[Part]:
    """The bytes of a buffer by their lives: those of rows end where the last view is made."""
    whole = Part(index, 0, buffer.size_bytes, buffer.first_use, buffer.last_use)
    if not rows or buffer.tensor is None:
        return [whole]
    main = report.prepared.graph.main
    if buffer.tensor.index in main.outputs:
        return [whole]
    made = {report.buffers[row].tensor.index: row for row in rows}  # type: ignore[union-attr]
    steps = {key: step for step, key in report.steps.items()}
    others = [
        steps[0, op.index]
        for op in main.operators
        if buffer.tensor.index in op.inputs and op.outputs[:1] and op.outputs[0] not in made
    ]
    least = max(others, default=buffer.first_use)
    spans = [
        (begin, begin + report.content_bytes(report.buffers[row]), report.buffers[row].first_use)
        for row in rows
        for begin in (views[row].offset_bytes,)
    ]
    cuts = sorted({0, buffer.size_bytes, *(cut for span in spans for cut in span[:2])})
    return [
        Part(
            index,
            begin,
            end - begin,
            buffer.first_use,
            max([least, *(step for first, last, step in spans if first <= begin and end <= last)]),
        )
        for begin, end in pairwise(cuts)
    ]
