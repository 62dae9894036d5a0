"""Boards for tests that build and run firmware: those with a port of their own.

The others that ship take the generic port, and their platform files are tested without firmware.
"""

from __future__ import annotations

from predictor.boards.board import shipped_boards
from predictor.firmware.ports import GENERIC, port_of

PORTED = tuple(board for board in shipped_boards() if port_of(board).name != GENERIC)
PORTED_NAMES = tuple(board.name for board in PORTED)
