"""Where a model's arenas lie in its firmware.

A memory that is named for an arena holds arenas alone: the program gets the largest run of the
others. An arena for which none is named lies at the end of the RAM that the program leaves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from predictor.boards.board import Board
from predictor.memory.sram import ArenaNeed
from predictor.records import dataclass

_ALIGNMENT = 16
_RESERVED = "arenas"
"""Kind of the regions that the program does not use."""


@dataclass(frozen=True, slots=True)
class ArenaPlace:
    """A span of RAM; ``address`` 0 stands for RAM that the program leaves."""

    address: int
    size_bytes: int


def program_board(board: Board, memories: Iterable[str | None]) -> Board:
    """The board as a program sees it that leaves memories to arenas.

    Where no other memory is left it has them all.

    Raises:
        UsageError: the board has no such memory.
    """
    names = {
        region.name
        for memory in memories
        if memory is not None
        for region in board.memory(memory).regions
    }
    regions = tuple(
        replace(region, kind=_RESERVED) if region.name in names else region
        for region in board.regions
    )
    has_ram = any(region.kind == "sram" for region in regions)
    return replace(board, regions=regions) if has_ram and names else board


def arena_places(board: Board, needs: Iterable[ArenaNeed]) -> tuple[ArenaPlace, ...]:
    """Each arena at the end of the memory that is named for it, one below the other.

    Raises:
        UsageError: the board has no such memory.
    """
    needs = tuple(needs)
    program = program_board(board, (need.memory for need in needs))
    ends: dict[int, int] = {}
    places = []
    for need in needs:
        address = 0
        if need.memory is not None and program is not board:
            end = board.memory(need.memory).end
            address = (ends.get(end, end) - need.size_bytes) // _ALIGNMENT * _ALIGNMENT
            ends[end] = address
        places.append(ArenaPlace(address, need.size_bytes))
    return tuple(places)
