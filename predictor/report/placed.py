"""What reports show alike of one model and of several in one program."""

from __future__ import annotations

from typing import Protocol

from predictor.boards.board import Board
from predictor.memory.flash import FlashReport
from predictor.memory.sram import SramReport
from predictor.options import Options


class Placed(Protocol):
    """A program with models in the memories of a board."""

    @property
    def board(self) -> Board: ...
    @property
    def options(self) -> Options: ...
    @property
    def flash(self) -> FlashReport: ...
    @property
    def sram(self) -> SramReport: ...
    @property
    def flash_total_bytes(self) -> int: ...
    @property
    def flash_margin_bytes(self) -> int: ...
