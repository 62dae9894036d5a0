"""Lines through latency against operations, and how they compare with the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from predictor.characterize.study import Result

PAPER_R2 = (0.95, 0.99)
"""Section 3.3: latency of models of one backbone is linear in operations, 0.95 < r2 < 0.99."""
PAPER_SLOPE_RATIO = 1.40
"""Section 3.3: throughput of the KWS backbone over that of the CIFAR10 backbone."""
PAPER_BOARD_RATIO = 2.0
"""Sections 3.1 and 3.3: the F746ZG is about twice as fast as the F446RE."""


@dataclass(frozen=True, slots=True)
class Line:
    """Least squares: latency_s = slope_s * ops + intercept_s.

    ``rate_spread`` is the 90th over the 10th percentile of ops per second.
    """

    group: str
    board: str
    count: int
    slope_s: float
    intercept_s: float
    r2: float
    median_ops_per_s: float
    rate_spread: float

    @property
    def ops_per_s(self) -> float:
        """Throughput along the line."""
        return 1 / self.slope_s


@dataclass(frozen=True, slots=True)
class PowerLevel:
    """Mean power of the models of a group on a board, and its relative spread."""

    group: str
    board: str
    count: int
    mean_w: float
    relative_sd: float


def lines(results: Sequence[Result]) -> tuple[Line, ...]:
    """A line for each group on each board that has more than two samples of different size."""
    return tuple(
        _line(group, board, items)
        for (group, board), items in _grouped(results).items()
        if len(items) > 2 and len({item.ops for item in items}) > 1
    )


def _line(group: str, board: str, items: Sequence[Result]) -> Line:
    x, y = [item.ops for item in items], [item.latency_s for item in items]
    mean_x, mean_y = fmean(x), fmean(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    spread_x = sum((a - mean_x) ** 2 for a in x)
    spread_y = sum((b - mean_y) ** 2 for b in y)
    slope = covariance / spread_x
    rates = sorted(item.ops / item.latency_s for item in items)
    return Line(
        group,
        board,
        len(items),
        slope,
        mean_y - slope * mean_x,
        covariance**2 / (spread_x * spread_y) if spread_y else 1.0,
        median(rates),
        rates[int(0.9 * (len(rates) - 1))] / rates[int(0.1 * (len(rates) - 1))],
    )


def power_levels(results: Sequence[Result]) -> tuple[PowerLevel, ...]:
    """Power of each group on each board whose power is known."""
    found = []
    for (group, board), items in _grouped(results).items():
        watts = [item.energy_j / item.latency_s for item in items if item.energy_j is not None]
        if watts:
            mean = fmean(watts)
            deviation = fmean((value - mean) ** 2 for value in watts) ** 0.5
            found.append(PowerLevel(group, board, len(watts), mean, deviation / mean))
    return tuple(found)


def ratio(found: Sequence[Line], board: str, faster: str, slower: str) -> float | None:
    """Throughput of one group over another's on a board; None where one lacks."""
    rates = {line.group: line.ops_per_s for line in found if line.board == board}
    return rates[faster] / rates[slower] if faster in rates and slower in rates else None


def _grouped(results: Sequence[Result]) -> dict[tuple[str, str], list[Result]]:
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in sorted(results, key=lambda item: (item.group, item.board, item.name)):
        groups.setdefault((result.group, result.board), []).append(result)
    return groups
