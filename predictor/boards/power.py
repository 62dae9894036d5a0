"""What a board draws: the ``power`` table of its file."""

from __future__ import annotations

from predictor.boards.calibration import (
    LEAST_QUANTITY,
    MOST_CLOCK_HZ,
    MOST_QUANTITY,
    MOST_RELATIVE_SD,
)
from predictor.intervals import Spread
from predictor.records import dataclass
from predictor.toml import Table

CONVOLUTION = "convolution"
FULLY_CONNECTED = "fully_connected"
_SUPPLY_V = (0.5, 60.0)
"""Microcontroller boards run within."""


@dataclass(frozen=True, slots=True)
class Power:
    """Power while a class of work runs, in watts. ``measurements`` is how many it rests on.

    ``clock_hz`` and ``supply_v`` say at what it was measured; None where that is not known, and
    then it is taken for the board's own.
    """

    active_w: float
    spread: Spread
    measurements: int
    clock_hz: int | None = None
    supply_v: float | None = None


@dataclass(frozen=True, slots=True)
class Powers:
    """What a board's file says of its power; None where it does not say.

    ``supply_v`` is the voltage that the board is used with; ``like`` names a shipped board whose
    power stands in.
    """

    sleep_w: float | None = None
    supply_v: float | None = None
    like: str | None = None
    convolution: Power | None = None
    fully_connected: Power | None = None


def read_powers(table: Table) -> Powers:
    """The ``power`` table of a board's file."""
    return Powers(
        table.optional("sleep_w", table.number, 0, MOST_QUANTITY),
        table.optional("supply_v", table.number, *_SUPPLY_V),
        table.optional("like", table.name),
        table.optional(CONVOLUTION, table.read, _power),
        table.optional(FULLY_CONNECTED, table.read, _power),
    )


def _power(table: Table) -> Power:
    watts = table.number("active_w", LEAST_QUANTITY, MOST_QUANTITY)
    deviation = table.number("active_sd_w", 0, MOST_RELATIVE_SD * watts)
    count = table.whole("measurements", 1)
    return Power(
        watts,
        Spread(deviation / watts, max(1, count - 1)),
        count,
        table.optional("clock_hz", table.whole, 1, MOST_CLOCK_HZ),
        table.optional("supply_v", table.number, *_SUPPLY_V),
    )
