"""The boards whose cores are measured."""

from __future__ import annotations

from predictor.boards.board import shipped_boards

BOARDS = {board.core.name: board for board in reversed(shipped_boards())}
"""Of each core its smallest board, by name of the core."""
