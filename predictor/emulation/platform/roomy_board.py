"""A board as it is, but with more RAM: for runs of what does not fit it, in emulation only."""

from __future__ import annotations

from dataclasses import replace

from predictor.boards.board import Board
from predictor.emulation.platform.board_platform import Platform, board_platform

_RAM_BYTES = 16 << 20
"""Up to here nothing else has an address behind the boards' RAM."""


def with_more_ram(board: Board) -> tuple[Board, Platform]:
    """The board and its platform with 16 MB of RAM; core and all other memories are the same.

    Raises:
        PlatformError: there is no platform for this board.
    """
    last = board.spans("sram")[0].regions[-1]
    regions = tuple(
        replace(region, size_bytes=_RAM_BYTES) if region == last else region
        for region in board.regions
    )
    platform = board_platform(board)
    memories = tuple(
        replace(memory, size_bytes=_RAM_BYTES) if memory.base == last.base else memory
        for memory in platform.memories
    )
    return replace(board, regions=regions), replace(platform, memories=memories)
