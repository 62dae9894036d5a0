"""Energy of an inference: power of the board for the class of work, times latency.

As the paper finds (section 3.4), the power of a board hardly depends on the model; it does on
whether convolutions compute or fully connected layers wait for the flash.
"""

from __future__ import annotations

from predictor.boards.board import Board
from predictor.boards.power import CONVOLUTION, FULLY_CONNECTED
from predictor.cost.instructions import Work
from predictor.cost.latency import LatencyEstimate, Timing, features
from predictor.cost.power import BoardPower, board_power
from predictor.intervals import Intervals, combined
from predictor.records import dataclass


@dataclass(frozen=True, slots=True)
class EnergyEstimate:
    """Energy of one inference."""

    joules: float
    power_w: float
    intervals: Intervals
    power: BoardPower
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


def energy(
    latency: LatencyEstimate, works: tuple[Work, ...], timing: Timing, board: Board
) -> EnergyEstimate | None:
    """Energy of one inference; None where the power of the board is not known."""
    known = board_power(board)
    if known is None:
        return None
    convolution = known.by_class[CONVOLUTION]
    connected = known.by_class.get(FULLY_CONNECTED, convolution)
    connected_share = _connected_share(works, timing)
    watts = (1 - connected_share) * convolution.active_w + connected_share * connected.active_w
    used = convolution if connected_share < 0.5 else connected
    joules = watts * latency.seconds
    spread = combined([latency.spread, used.spread])
    least = Intervals.around(watts * latency.least_s, spread)
    return EnergyEstimate(
        joules,
        watts,
        least.joined(Intervals.around(joules, spread), latency.is_open),
        known,
        f"{known.evidence}; latency: {latency.evidence}",
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
    sleep_w = board.power.sleep_w
    busy = latency.seconds * inferences_per_s
    awake = min(1.0, busy)
    average = energy.power_w * awake + (sleep_w or 0.0) * (1 - awake)
    return DutyCycle(inferences_per_s, busy, sleep_w, average)
