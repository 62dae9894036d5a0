"""RAM that a model needs on a board, and in which memories of the board it fits."""

from __future__ import annotations

from dataclasses import dataclass

from predictor.boards.board import Board, Region

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
    others = sorted((static_bytes, stack_bytes, reserve_bytes), reverse=True)
    region = None
    for chosen in sorted(spans, key=lambda span: span.size_bytes):
        room = [span.size_bytes - (arena_bytes if span is chosen else 0) for span in spans]
        if min(room) >= 0 and _all_fit(others, room):
            region = _names(chosen.regions, arena_bytes)
            break
    return SramReport(
        arena_bytes=arena_bytes,
        static_bytes=static_bytes,
        stack_bytes=stack_bytes,
        reserve_bytes=reserve_bytes,
        available_bytes=board.sram_bytes,
        largest_span_bytes=spans[0].size_bytes,
        arena_region=region,
    )


def _all_fit(sizes: list[int], room: list[int]) -> bool:
    room = list(room)
    for size in sizes:
        best = max(range(len(room)), key=room.__getitem__)
        if room[best] < size:
            return False
        room[best] -= size
    return True


def _names(regions: tuple[Region, ...], arena_bytes: int) -> str:
    """The one region that holds the arena most tightly, or all of a run it needs."""
    single = [region for region in regions if region.size_bytes >= arena_bytes]
    if single:
        return min(single, key=lambda region: region.size_bytes).name
    return "+".join(region.name for region in regions)
