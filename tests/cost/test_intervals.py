"""Intervals: their quantiles, and how often they hold the truth in simulated calibrations."""

from __future__ import annotations

import math
import random

import pytest

from predictor.intervals import Spread, combined, pooled, quantile

scipy_stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed")


@pytest.mark.parametrize("level", [80, 95])
@pytest.mark.parametrize("freedom", [1, 2, 3, 5, 10, 12, 20, 50, 1000, math.inf])
def test_quantiles_are_students(level: int, freedom: float) -> None:
    probability = 0.5 + level / 200
    exact = (
        scipy_stats.norm.ppf(probability)
        if math.isinf(freedom)
        else scipy_stats.t.ppf(probability, freedom)
    )
    assert quantile(level, freedom) == pytest.approx(exact, rel=5e-3)


def test_pooled_estimates_weigh_by_their_degrees_of_freedom() -> None:
    both = pooled([Spread(0.06, 3), Spread(0.02, 1)])
    assert both.relative_sd == pytest.approx(math.sqrt((3 * 0.06**2 + 0.02**2) / 4))
    assert both.degrees_of_freedom == 4


def test_parts_combine_as_independent_factors() -> None:
    both = combined([Spread(0.03, 5), Spread(0.04, 50)])
    assert both.relative_sd == pytest.approx(0.05)
    assert 5 < both.degrees_of_freedom <= 55
    assert combined([Spread(0.0), Spread(0.02, 7)]) == Spread(0.02, 7.0)


@pytest.mark.parametrize("level", [80, 95])
def test_combined_spreads_cover(level: int) -> None:
    """One part estimated from 4 samples, one known: the interval of their product still holds."""
    rng = random.Random(level)
    held, rounds = 0, 4000
    for _ in range(rounds):
        sample = [rng.gauss(0, 0.03) for _ in range(4)]
        estimated = Spread(math.sqrt(sum(value * value for value in sample) / 4), 4)
        spread = combined([estimated, Spread(0.02)])
        truth = math.exp(rng.gauss(0, 0.03) + rng.gauss(0, 0.02))
        held += truth in spread.interval(1.0, level)
    assert 100 * held / rounds == pytest.approx(level, abs=4)
