"""Schedules over the steps of a phase."""

from __future__ import annotations

import math


def cosine(step: int, steps: int, first: float, last: float) -> float:
    """From ``first`` at step 0 to ``last`` at the final step, along half a cosine."""
    if steps <= 1:
        return first
    share = min(step / (steps - 1), 1.0)
    return last + (first - last) * 0.5 * (1.0 + math.cos(math.pi * share))


def exponential(step: int, steps: int, first: float, last: float) -> float:
    """From ``first`` to ``last`` by equal factors."""
    if steps <= 1:
        return last
    return float(first * (last / first) ** min(step / (steps - 1), 1.0))
