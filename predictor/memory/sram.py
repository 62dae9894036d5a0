"""RAM that a model needs on a board, and in which memories of the board it fits."""

from __future__ import annotations

from dataclasses import dataclass

from predictor.boards.board import Board, ContiguousSpan, Region

STACK_RESERVE_BYTES = 4096
"""Stack kept for the interpreter and its kernels; the paper (section 3.1) gives the interpreter
4 KB of SRAM beside the arena."""


@dataclass(frozen=True, slots=True)
class SramReport:
    """Bytes of RAM. The arena must lie in contiguous memory, the rest may lie elsewhere.

    ``arena_region`` names the memories that the arena lies in, None if it fits nowhere;
    ``largest_span_bytes`` is the largest contiguous RAM of the board.
    """

    arena_bytes: int
    static_bytes: int
    stack_bytes: int
    reserve_bytes: int
    available_bytes: int
    largest_span_bytes: int
    arena_region: str | None

    @property
    def total_bytes(self) -> int:
        return self.arena_bytes + self.static_bytes + self.stack_bytes + self.reserve_bytes

    @property
    def margin_bytes(self) -> int:
        """Bytes left; negative where the board is too small."""
        return min(
            self.available_bytes - self.total_bytes, self.largest_span_bytes - self.arena_bytes
        )

    @property
    def fits(self) -> bool:
        return self.arena_region is not None


def place(
    board: Board,
    arena_bytes: int,
    static_bytes: int,
    reserve_bytes: int = 0,
    stack_bytes: int = STACK_RESERVE_BYTES,
) -> SramReport:
    """Places arena, statics, stack and reserve in the board's RAM.

    The arena takes the smallest contiguous run of memories that holds it and leaves room for the
    other items, which are placed one by one, largest first.
    """
    spans = board.spans("sram")
    others = (static_bytes, stack_bytes, reserve_bytes)
    placed = _place(spans, arena_bytes, others)
    return SramReport(
        arena_bytes=arena_bytes,
        static_bytes=static_bytes,
        stack_bytes=stack_bytes,
        reserve_bytes=reserve_bytes,
        available_bytes=board.sram_bytes,
        largest_span_bytes=spans[0].size_bytes,
        arena_region=None if placed is None else _names(placed[0].regions, arena_bytes),
    )


@dataclass(frozen=True, slots=True)
class SpanUse:
    """What a contiguous run of memories holds: bytes by item ("arena", "statics", "stack",
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
    placed = _place(spans, report.arena_bytes, sizes)
    chosen, homes = placed or (spans[0], (spans[0],) * len(sizes))
    everything = (
        ("arena", report.arena_bytes, chosen),
        *zip(("statics", "stack", "reserve"), sizes, homes, strict=True),
    )
    return tuple(
        SpanUse(span, tuple((name, size) for name, size, home in everything if home is span))
        for span in sorted(spans, key=lambda span: span.regions[0].base)
    )


def _place(
    spans: tuple[ContiguousSpan, ...], arena_bytes: int, others: tuple[int, ...]
) -> tuple[ContiguousSpan, tuple[ContiguousSpan, ...]] | None:
    """The run for the arena and the run for each other item, None if they do not fit."""
    for chosen in sorted(spans, key=lambda span: span.size_bytes):
        room = [span.size_bytes - (arena_bytes if span is chosen else 0) for span in spans]
        homes = _assign(others, room) if min(room) >= 0 else None
        if homes is not None:
            return chosen, tuple(spans[home] for home in homes)
    return None


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
