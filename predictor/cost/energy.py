"""Energy of an inference: power of the board for the class of work, times latency.

As the paper finds (section 3.4), the power of a board hardly depends on the model; it does on
whether convolutions compute or fully connected layers wait for the flash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from predictor.boards.board import Board, shipped_boards
from predictor.cost.instructions import Work
from predictor.cost.intervals import Intervals, Spread, combined
from predictor.cost.latency import LatencyEstimate, Timing, features
from predictor.cost.spreads import load_spreads
from predictor.errors import BoardError

CONVOLUTION = "convolution"
FULLY_CONNECTED = "fully_connected"


@dataclass(frozen=True, slots=True)
class Power:
    """Power while a class of work runs, in watts. ``measurements`` is how many it rests on."""

    active_w: float
    spread: Spread
    measurements: int


@dataclass(frozen=True, slots=True)
class EnergyEstimate:
    """Energy of one inference."""

    joules: float
    power_w: float
    intervals: Intervals
    evidence: str


@dataclass(frozen=True, slots=True)
class DutyCycle:
    """A board that runs inferences at a fixed rate and sleeps in between.

    ``busy`` is the fraction of time that it computes, above 1 where it cannot keep up.
    ``sleep_w`` is None where the board's file does not say; ``average_w`` then leaves the sleep
    out and is a lower bound.
    """

    inferences_per_s: float
    busy: float
    sleep_w: float | None
    average_w: float

    @property
    def is_overloaded(self) -> bool:
        """Whether an inference takes longer than the time it has."""
        return self.busy > 1

    def battery_life_s(self, battery_j: float) -> float:
        return battery_j / self.average_w


def powers(board: Board) -> Mapping[str, Power]:
    """Power by class of work, from the board's ``power`` table; empty where it has none.

    Raises:
        BoardError: the table is malformed.
    """
    table = board.tables.get("power", {})
    if not isinstance(table, Mapping):
        raise BoardError(f"board {board.name}: power must be a table")
    return {
        name: _power(board, f"power.{name}", table[name])
        for name in (CONVOLUTION, FULLY_CONNECTED)
        if name in table
    }


def _power(board: Board, where: str, table: Any) -> Power:
    try:
        watts, deviation = float(table["active_w"]), float(table["active_sd_w"])
        count = int(table["measurements"])
    except (KeyError, TypeError, ValueError) as error:
        raise BoardError(
            f"board {board.name}: {where} needs the numbers active_w, active_sd_w and measurements"
        ) from error
    if not watts > 0 or deviation < 0 or count < 1:
        raise BoardError(f"board {board.name}: {where} holds figures out of range")
    return Power(watts, Spread(deviation / watts, max(1, count - 1)), count)


def energy(
    latency: LatencyEstimate, works: tuple[Work, ...], timing: Timing, board: Board
) -> EnergyEstimate | None:
    """Energy of one inference; None where neither this board's power is known nor that of
    another with the same core."""
    known, evidence = powers(board), "of this board"
    unsure = []
    if CONVOLUTION not in known:
        others = [
            (other.name, found)
            for other in shipped_boards()
            if other.core.name == board.core.name and CONVOLUTION in (found := powers(other))
        ]
        if not others:
            return None
        (name, known), *_ = others
        evidence = f"of {name}, this board's is not known"
        unsure = [load_spreads()["OTHER_POWER"]]
    convolution = known[CONVOLUTION]
    connected_share = _connected_share(works, timing)
    connected = known.get(FULLY_CONNECTED, convolution)
    watts = (1 - connected_share) * convolution.active_w + connected_share * connected.active_w
    used = convolution if connected_share < 0.5 else connected
    joules = watts * latency.seconds
    spread = combined([latency.spread, used.spread, *unsure])
    evidence = f"power from {used.measurements} measurements {evidence}; latency: "
    return EnergyEstimate(
        joules, watts, Intervals.around(joules, spread), evidence + latency.evidence
    )


def _connected_share(works: tuple[Work, ...], timing: Timing) -> float:
    """Fraction of the cycles in layers that read their weights once, from flash."""
    whole = timing.costs.cycles(features(works))
    connected = timing.costs.cycles(features(item for item in works if item.streamed_bytes))
    return connected / whole if whole else 0.0


def duty_cycle(
    energy: EnergyEstimate, latency: LatencyEstimate, board: Board, inferences_per_s: float
) -> DutyCycle:
    """Average power at a rate of inferences, as in the paper's appendix B."""
    sleep_w = board.tables.get("power", {}).get("sleep_w")
    busy = latency.seconds * inferences_per_s
    awake = min(1.0, busy)
    average = energy.power_w * awake + (sleep_w or 0.0) * (1 - awake)
    return DutyCycle(inferences_per_s, busy, sleep_w, average)
