"""Latency by operation count, as the paper does within one search space (section 3.3).

Across models it is off by a third; it stands in reports for comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

from predictor.boards.board import Board
from predictor.errors import BoardError


@dataclass(frozen=True, slots=True)
class OpProxy:
    """``relative_error``: typical error of a model that the rate was not fitted on."""

    seconds: float
    ops_per_s: float
    relative_error: float


def op_proxy(board: Board, total_ops: int) -> OpProxy | None:
    """Latency from operations (1 MAC = 2 ops); None where the board has no rate.

    Raises:
        BoardError: the board's ``op_proxy`` table is malformed.
    """
    table = board.tables.get("op_proxy")
    if table is None:
        return None
    try:
        rate, error = float(table["ops_per_s"]), float(table["relative_error"])
    except (KeyError, TypeError, ValueError) as wrong:
        raise BoardError(
            f"board {board.name}: op_proxy needs the numbers ops_per_s and relative_error"
        ) from wrong
    if not rate > 0:
        raise BoardError(f"board {board.name}: op_proxy.ops_per_s must be positive, not {rate}")
    return OpProxy(total_ops / rate, rate, error)
