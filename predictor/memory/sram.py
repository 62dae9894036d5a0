"""RAM that a model needs on a board, and in which memories of the board it fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from predictor.boards.board import Board, ContiguousSpan, Region
from predictor.errors import UsageError
from predictor.memory.arena_report import ArenaReport
from predictor.records import dataclass

STACK_RESERVE_BYTES = 4096
"""Stack kept for the interpreter and its kernels; the paper (section 3.1) gives the interpreter
4 KB of SRAM beside the arena."""


ARENA, PERSISTENT_ARENA = "arena", "persistent arena"


@dataclass(frozen=True, slots=True)
class ArenaNeed:
    """An arena and the memory of the board in which it must lie, None for any."""

    name: str
    size_bytes: int
    memory: str | None = None


@dataclass(frozen=True, slots=True)
class PlacedArena:
    """``region`` names the memories that the arena lies in, None if it fits nowhere;
    ``room_bytes`` is the largest memory that it may lie in."""

    name: str
    size_bytes: int
    region: str | None
    room_bytes: int


@dataclass(frozen=True, slots=True)
class SramReport:
    """Bytes of RAM. Each arena must lie in contiguous memory, the rest may lie elsewhere.

    ``needs`` are the arenas that were asked for: one, or the non-persistent and the persistent one.
    ``largest_span_bytes`` is the largest contiguous RAM of the board.
    """

    needs: tuple[ArenaNeed, ...]
    arenas: tuple[PlacedArena, ...]
    static_bytes: int
    stack_bytes: int
    reserve_bytes: int
    available_bytes: int
    largest_span_bytes: int

    @property
    def arena_bytes(self) -> int:
        return sum(arena.size_bytes for arena in self.arenas)

    @property
    def arena_region(self) -> str | None:
        """The memories of the arenas in their order, None if they fit nowhere."""
        if not self.fits:
            return None
        return ", ".join(arena.region or "" for arena in self.arenas)

    @property
    def is_spread(self) -> bool:
        """Whether it fits only where the arena and the rest lie in different memories."""
        return self.fits and self.total_bytes > self.largest_span_bytes

    @property
    def total_bytes(self) -> int:
        return self.arena_bytes + self.static_bytes + self.stack_bytes + self.reserve_bytes

    @property
    def margin_bytes(self) -> int:
        """Bytes left; negative where the board is too small."""
        left = [arena.room_bytes - arena.size_bytes for arena in self.arenas]
        return min(self.available_bytes - self.total_bytes, *left)

    @property
    def fits(self) -> bool:
        return all(arena.region is not None for arena in self.arenas)


def arena_needs(
    report: ArenaReport, memory: str | None = None, persistent_memory: str | None = None
) -> tuple[ArenaNeed, ...]:
    """The arenas of a model: one, or two where the persistent part lies in a memory of its own.

    Args:
        memory: that of the one arena or of the non-persistent one, None for any.

    Raises:
        UsageError: this TFLM takes one arena only.
    """
    if persistent_memory is None:
        return (ArenaNeed(ARENA, report.required_bytes, memory),)
    split = report.split
    if split is None:
        name = report.prepared.revision.name
        raise UsageError(f"TFLM {name} takes one arena only: leave out --persistent-memory")
    return (
        ArenaNeed(ARENA, split.required_nonpersistent_bytes, memory),
        ArenaNeed(PERSISTENT_ARENA, split.required_persistent_bytes, persistent_memory),
    )


def place(
    board: Board,
    arena: int | Sequence[ArenaNeed],
    static_bytes: int,
    reserve_bytes: int = 0,
    stack_bytes: int = STACK_RESERVE_BYTES,
) -> SramReport:
    """Places arenas, statics, stack and reserve in the board's RAM.

    An arena takes the smallest contiguous run of memories that holds it, or the memory asked for,
    and leaves room for the other items, which are placed one by one, largest first.

    Args:
        arena: bytes of the one arena, or what the arenas need.

    Raises:
        UsageError: the board has no such memory.
    """
    needs = (ArenaNeed(ARENA, arena),) if isinstance(arena, int) else tuple(arena)
    spans = board.spans("sram")
    placed = _place(board, needs, (static_bytes, stack_bytes, reserve_bytes))
    largest = spans[0].size_bytes
    return SramReport(
        needs=needs,
        arenas=tuple(
            PlacedArena(
                need.name,
                need.size_bytes,
                None if placed is None else _names(placed.memories[n].regions, need.size_bytes),
                largest if need.memory is None else board.memory(need.memory).size_bytes,
            )
            for n, need in enumerate(needs)
        ),
        static_bytes=static_bytes,
        stack_bytes=stack_bytes,
        reserve_bytes=reserve_bytes,
        available_bytes=board.sram_bytes,
        largest_span_bytes=largest,
    )


@dataclass(frozen=True, slots=True)
class SpanUse:
    """What a contiguous run of memories holds: bytes by item (an arena's name, "statics", "stack",
    "reserve")."""

    span: ContiguousSpan
    items: tuple[tuple[str, int], ...]

    @property
    def used_bytes(self) -> int:
        return sum(size for _, size in self.items)

    @property
    def fits(self) -> bool:
        return self.used_bytes <= self.span.size_bytes


def occupancy(board: Board, report: SramReport) -> tuple[SpanUse, ...]:
    """How :func:`place` fills each run of memories of the board, the lowest address first.

    Where the items do not fit, all of them stand in the largest run, which they overfill.
    """
    spans = board.spans("sram")
    sizes = (report.static_bytes, report.stack_bytes, report.reserve_bytes)
    names = (*(need.name for need in report.needs), "statics", "stack", "reserve")
    bytes_of = (*(need.size_bytes for need in report.needs), *sizes)
    placed = _place(board, report.needs, sizes)
    homes = (
        [spans[0].base] * len(names)
        if placed is None
        else [*(memory.base for memory in placed.memories), *placed.others]
    )
    everything = list(zip(names, bytes_of, homes, strict=True))
    return tuple(
        SpanUse(
            span,
            tuple((name, size) for name, size, at in everything if span.base <= at < span.end),
        )
        for span in sorted(spans, key=lambda span: span.base)
    )


_Free = tuple[tuple[int, int], ...]
"""Free pieces of RAM: first address, and the one behind the last."""


class _Placed(NamedTuple):
    """The memory of each arena, and an address within the piece that each other item gets."""

    memories: tuple[ContiguousSpan, ...]
    others: tuple[int, ...]


def _place(board: Board, needs: Sequence[ArenaNeed], others: tuple[int, ...]) -> _Placed | None:
    """Where everything goes; None if it does not fit."""
    spans = board.spans("sram")
    free = tuple((span.base, span.end) for span in spans)
    every = sorted(spans, key=lambda span: span.size_bytes)
    choices = [every if need.memory is None else [board.memory(need.memory)] for need in needs]
    return _search([need.size_bytes for need in needs], choices, free, others)


def _search(
    sizes: Sequence[int],
    choices: Sequence[Sequence[ContiguousSpan]],
    free: _Free,
    others: tuple[int, ...],
) -> _Placed | None:
    """Arenas one by one, each at an end of what is free of a memory that it may lie in."""
    if not sizes:
        homes = _assign(others, [end - start for start, end in free])
        return None if homes is None else _Placed((), tuple(free[home][0] for home in homes))
    for memory in choices[0]:
        for left in _without(free, memory, sizes[0]):
            rest = _search(sizes[1:], choices[1:], left, others)
            if rest is not None:
                return _Placed((memory, *rest.memories), rest.others)
    return None


def _without(free: _Free, memory: ContiguousSpan, size_bytes: int) -> Iterator[_Free]:
    """What is left after an arena at the low or the high end of what is free of a memory."""
    for index, (start, end) in enumerate(free):
        low, high = max(start, memory.base), min(end, memory.end)
        if high - low < size_bytes:
            continue
        for at in (low, high - size_bytes):
            pieces = ((start, at), (at + size_bytes, end))
            yield (*free[:index], *pieces, *free[index + 1 :])


def _assign(sizes: tuple[int, ...], room: list[int]) -> list[int] | None:
    """An index into ``room`` for each size, None if one does not fit; the largest goes first."""
    homes = [0] * len(sizes)
    for item in sorted(range(len(sizes)), key=lambda item: -sizes[item]):
        best = max(range(len(room)), key=room.__getitem__)
        if room[best] < sizes[item]:
            return None
        room[best] -= sizes[item]
        homes[item] = best
    return homes


def _names(regions: tuple[Region, ...], arena_bytes: int) -> str:
    """The one region that holds the arena most tightly, or all of a run it needs."""
    single = [region for region in regions if region.size_bytes >= arena_bytes]
    if single:
        return min(single, key=lambda region: region.size_bytes).name
    return "+".join(region.name for region in regions)
