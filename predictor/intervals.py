"""Intervals around predictions, honest about how few measurements they rest on.

Errors of latency and energy models are relative, so that intervals are symmetric on a logarithmic
scale: a value of spread s lies between value / exp(q s) and value * exp(q s), where q is the
quantile of Student's t distribution for the degrees of freedom that the spread was estimated with.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, hypot, inf, sqrt

from predictor.records import dataclass

LEVELS = (80, 95)
"""Percentages of the intervals that reports show."""

# Quantiles of Student's t for two-sided intervals; index 0 is one degree of freedom.
_T = {
    80: (3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372),
    95: (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
}
_NORMAL = {80: 1.2816, 95: 1.9600}


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends are in the unit of the value."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Spread:
    """Relative standard deviation (of the logarithm), and how many degrees of freedom it has.

    ``degrees_of_freedom`` is infinite for spreads that were not estimated from few samples.
    """

    relative_sd: float
    degrees_of_freedom: float = inf

    def factor(self, level: int) -> float:
        """By how much a value may be too small or too large at a level in percent."""
        return exp(quantile(level, self.degrees_of_freedom) * self.relative_sd)

    def interval(self, value: float, level: int) -> Interval:
        factor = self.factor(level)
        return Interval(value / factor, value * factor)


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals that reports show."""

    interval_80: Interval
    interval_95: Interval

    @classmethod
    def around(cls, value: float, spread: Spread) -> Intervals:
        return cls(spread.interval(value, 80), spread.interval(value, 95))

    def joined(self, higher: Intervals, is_open: bool = False) -> Intervals:
        """From the low ends of these to the high ends of others, or to infinity."""
        pairs = (
            (self.interval_80, higher.interval_80),
            (self.interval_95, higher.interval_95),
        )
        return Intervals(*(Interval(low.low, inf if is_open else high.high) for low, high in pairs))


def quantile(level: int, degrees_of_freedom: float) -> float:
    """Two-sided quantile of Student's t for a level of 80 or 95 percent.

    Degrees of freedom below 1 count as 1; beyond the table the Cornish-Fisher expansion holds to
    three digits.
    """
    table, normal = _T[level], _NORMAL[level]
    whole = max(1, int(min(degrees_of_freedom, 1e9)))
    if whole <= len(table):
        return table[whole - 1]
    first = (normal**3 + normal) / 4
    second = (5 * normal**5 + 16 * normal**3 + 3 * normal) / 96
    return normal + first / degrees_of_freedom + second / degrees_of_freedom**2


def combined(parts: Iterable[Spread]) -> Spread:
    """Spread of a product of independent factors.

    Degrees of freedom after Welch and Satterthwaite: the part that dominates rules.
    """
    parts = [part for part in parts if part.relative_sd > 0]
    total = hypot(*(part.relative_sd for part in parts))
    weight = sum(part.relative_sd**4 / part.degrees_of_freedom for part in parts)
    return Spread(total, total**4 / weight if weight else inf)


def pooled(parts: Iterable[Spread]) -> Spread:
    """Several estimates of one spread as one, each weighted with its degrees of freedom."""
    parts = list(parts)
    freedom = sum(part.degrees_of_freedom for part in parts)
    squares = sum(part.degrees_of_freedom * part.relative_sd**2 for part in parts)
    return Spread(sqrt(squares / freedom), freedom)
