"""Latency by operation count, as the paper does within one search space (section 3.3).

Across models it is off by a third; it stands in reports for comparison.
"""

from __future__ import annotations

from predictor.boards.board import Board
from predictor.records import dataclass


@dataclass(frozen=True, slots=True)
class OpProxy:
    """``relative_error``: typical error of a model that the rate was not fitted on."""

    seconds: float
    ops_per_s: float
    relative_error: float


def op_proxy(board: Board, total_ops: int) -> OpProxy | None:
    """Latency from operations (1 MAC = 2 ops); None where the board has no rate."""
    known = board.op_rate
    if known is None:
        return None
    return OpProxy(total_ops / known.ops_per_s, known.ops_per_s, known.relative_error)
