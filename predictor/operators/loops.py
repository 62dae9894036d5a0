"""How often a kernel runs its loops: what the cost of an operator is computed from.

A row of the operator tables names a function that follows the control flow of its kernel: calls,
blocks, remainders, border cases. It yields how often each of them runs, from shapes alone. What
one run costs on a core, in instructions, loads and stores, is data
(``predictor/cost/coefficients``), fitted from measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from predictor.operators.context import NodeContext


class Loops(NamedTuple):
    """The loops of one operator for one inference.

    ``kernel`` names the code that runs and with it the coefficients. ``terms``: how often each of
    its loops runs. ``unaligned_loads``: loads of a word or half-word whose address is no multiple
    of its size. ``streamed_bytes``: bytes of weights that are read once only, so that a cache in
    front of the flash does not help.
    """

    kernel: str
    terms: Mapping[str, float]
    unaligned_loads: float = 0
    streamed_bytes: int = 0


LoopCounter = Callable[[NodeContext], Loops | None]
"""Yields None where the kernel that would run is not one whose loops are known."""
