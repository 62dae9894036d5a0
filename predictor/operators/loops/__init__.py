"""How often the kernels of an operator run their loops: what its cost is computed from.

A row of the operator tables names a function that follows the control flow of its kernel: calls,
blocks, remainders, border cases. It yields how often each of them runs, from shapes alone. What
one run costs on a core, in instructions, loads and stores, is data
(``predictor/cost/coefficients``), fitted from measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from predictor.operators.context import NodeContext

CACHED = 1 << 12
"""Shapes whose loops are kept: they recur, in a model and from one to the next."""


class Loops:
    """The loops of one operator for one inference.

    ``terms``: how often each loop runs, by name; those that never run are left out.
    ``unaligned_loads``: loads of a word or half-word whose address is no multiple of its size.
    ``streamed_bytes``: bytes of weights that are read once only, so that a cache in front of the
    flash does not help.
    """

    __slots__ = ("streamed_bytes", "terms", "unaligned_loads")

    def __init__(self) -> None:
        self.terms: dict[str, int] = {}
        self.unaligned_loads = 0
        self.streamed_bytes = 0

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for loops that run as often, if they were added in the same order."""
        return self.unaligned_loads, self.streamed_bytes, *self.terms.items()

    def copy(self) -> Loops:
        """Loops that may be added to."""
        made = Loops()
        made.terms = self.terms.copy()
        made.unaligned_loads, made.streamed_bytes = self.unaligned_loads, self.streamed_bytes
        return made

    def add(self, prefix: str, **runs: int) -> None:
        """Counts further runs of the loops ``<prefix>.<name>``."""
        terms = self.terms
        for name, count in runs.items():
            if count:
                key = f"{prefix}.{name}"
                terms[key] = terms.get(key, 0) + count


LoopCounter = Callable[[NodeContext], Loops | None]
"""Yields None where the kernel that would run is not one whose loops are known."""


CYCLE = 4
"""Alignment of addresses that rise evenly repeats after so many of them."""


def cycle(count: int) -> Iterator[tuple[int, int]]:
    """The first of ``count`` numbers, each with how many are the same modulo ``CYCLE``."""
    for first in range(min(CYCLE, count)):
        yield first, -(-(count - first) // CYCLE)


def misaligned(count: int, step: int) -> int:
    """How many of the multiples 0, step, 2 step, ... (``count`` of them) are not divisible by 4."""
    cycle = 4 if step % 2 else 2 if step % 4 else 1
    return count - -(-count // cycle)
