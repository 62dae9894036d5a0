"""A board as it is, but with more memory: for runs of what does not fit it, in emulation only."""

from __future__ import annotations

from dataclasses import replace

from predictor.boards.board import Board
from predictor.emulation.platform.board_platform import board_platform
from predictor.emulation.platform.description import Platform

_RAM_BYTES = 16 << 20
"""Up to here nothing else has an address behind the boards' RAM."""
_FLASH_BYTES = 4 << 20


def with_more_ram(board: Board) -> tuple[Board, Platform]:
    """The board and its platform with 16 MB of RAM; core and all other memories are the same.

    Raises: as :func:`board_platform`.
    """
    last = board.spans("sram")[0].regions[-1]
    return _grown(board, {last.base: _RAM_BYTES})


def with_more_memory(board: Board) -> tuple[Board, Platform]:
    """As :func:`with_more_ram`, with 4 MB of flash, too: room for all of TFLM's operators."""
    last, flash = board.spans("sram")[0].regions[-1], board.spans("flash")[0].regions[0]
    return _grown(board, {last.base: _RAM_BYTES, flash.base: _FLASH_BYTES})


def _grown(board: Board, sizes: dict[int, int]) -> tuple[Board, Platform]:
    """With other sizes of the memories at some addresses."""
    regions = tuple(
        replace(region, size_bytes=sizes.get(region.base, region.size_bytes))
        for region in board.regions
    )
    roomy = replace(board, regions=regions)
    return roomy, board_platform(roomy)
