"""How far a board's calibration may be off for a further model, and what it does not cover."""

from __future__ import annotations

from math import log1p, sqrt

from predictor.boards.calibration import Calibration, Measured
from predictor.cost.spreads import load_spreads
from predictor.intervals import Spread, combined, pooled, quantile


def further_model_spread(found: Calibration) -> Spread:
    """Spread of the latency of a model that the calibration was not fitted on.

    The errors of its own rows left out are pooled with how much models differ on any board, and
    the whole grows by sqrt(1 + 1/n) for a fit to n rows. It is wide enough that each row that was
    fitted lies within the interval of 95 %.
    """
    count = max(1, len(found.fitted))
    spread = pooled([found.spread, load_spreads()["BETWEEN_MODELS"]])
    worst = max((abs(log1p(found.error(item))) for item in found.fitted), default=0.0)
    return Spread(
        max(
            spread.relative_sd * sqrt(1 + 1 / count),
            worst / quantile(95, spread.degrees_of_freedom),
        ),
        spread.degrees_of_freedom,
    )


def uncovered(found: Calibration) -> tuple[tuple[Measured, float], ...]:
    """Measurements outside the interval of 95 %, with measured over predicted latency.

    Their ``reason`` says why they are not comparable.
    """
    counts = load_spreads()["MODEL"]
    factor = combined([further_model_spread(found), counts]).factor(95)
    ratios = ((item, 1 / (1 + found.error(item))) for item in found.measurements)
    return tuple((item, ratio) for item, ratio in ratios if not 1 / factor <= ratio <= factor)
