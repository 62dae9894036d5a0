"""The boards on whose cores figures are measured."""

from __future__ import annotations

from predictor.boards.board import find_board

_COUNTED = ("f446re", "f746zg")
_LINKED = (*_COUNTED, "pico", "lpc1768", "u575zi", "mps3-an547")
BOARDS = {board.core.name: board for board in map(find_board, _COUNTED)}
"""Those on which all figures are measured, by name of the core."""
LINKED_BOARDS = {board.core.name: board for board in map(find_board, _LINKED)}
"""Those for whose cores the size of code may be measured, too."""
