"""Arithmetic of C's ``float`` and ``double``: never an exception, but infinities and NaN."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from math import copysign, inf, nan

Rounding = Callable[[float], float]
"""Rounds to the type that a kernel computes in: :func:`single`, or ``float`` for double."""


def single(value: float) -> float:
    """A number rounded to 32 bits, infinite where it is beyond them.

    What is computed in double from two such numbers and then rounded is what C gets in single
    precision: 53 bits are more than twice 24, for products, sums and quotients alike.
    """
    return array("f", (value,))[0]


def quotient(dividend: float, divisor: float) -> float:
    """Division as C does it: infinite or NaN where the divisor is zero."""
    if divisor:
        return dividend / divisor
    if not dividend or dividend != dividend:
        return nan
    return copysign(inf, dividend) * copysign(1.0, divisor)
