"""The boards on whose cores figures are measured."""

from __future__ import annotations

from predictor.boards.board import find_board

_NAMES = ("f446re", "f746zg")
BOARDS = {board.core.name: board for board in map(find_board, _NAMES)}
"""By name of the core."""
