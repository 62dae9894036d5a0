"""What measurements on a board say about its core: the ``calibration`` tables of a board file.

A calibration belongs to one board at one clock, one runtime, one revision and one kernel set, and
is never pooled with others. It turns the counts of the instruction model into cycles::

    cycles = cycles_per_instruction * instructions
           + unaligned_load_cycles * unaligned_loads
           + flash_cycles_per_byte * streamed_bytes
"""

from __future__ import annotations

from predictor.intervals import Spread
from predictor.kernel_sets import kernel_set_name
from predictor.records import dataclass
from predictor.toml import Table

MOST_CLOCK_HZ = (1 << 32) - 1
"""The firmware holds the clock in 32 bits."""
LEAST_COST, MOST_COST = 1e-3, 1e6
MOST_COUNT = 1e18
LEAST_QUANTITY, MOST_QUANTITY = 1e-12, 1e9
"""Seconds, joules and watts outside of this are in another unit, and their ratios overflow."""
MOST_RELATIVE_SD = 10.0
"""Factors of intervals stay finite up to here at one degree of freedom."""


@dataclass(frozen=True, slots=True)
class Features:
    """Counts of one inference of a model, from which cycles are predicted."""

    instructions: float
    unaligned_loads: float = 0
    streamed_bytes: float = 0


@dataclass(frozen=True, slots=True)
class CoreCosts:
    """Cycles that a core takes for what the instruction model counts."""

    cycles_per_instruction: float
    unaligned_load_cycles: float = 0
    flash_cycles_per_byte: float = 0

    def cycles(self, features: Features) -> float:
        return (
            self.cycles_per_instruction * features.instructions
            + self.unaligned_load_cycles * features.unaligned_loads
            + self.flash_cycles_per_byte * features.streamed_bytes
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement that a calibration rests on, with what the calibration makes of it.

    ``left_out_error`` is the relative error of its prediction by a fit without it; None where it
    was not fitted. ``reason`` says why a measurement was not fitted.
    """

    model: str
    features: Features
    latency_s: float
    source: str
    sha256: str | None = None
    energy_j: float | None = None
    repeats: int = 1
    is_fitted: bool = True
    left_out_error: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Fitted costs of a core, what they hold for, and how well.

    ``runtime`` names the software that was measured, and so the calibration; ``revision`` and
    ``kernels`` say whose counts the costs multiply. ``spread`` is that of the rows left out.
    """

    runtime: str
    revision: str
    kernels: str
    clock_hz: int
    costs: CoreCosts
    spread: Spread
    measurements: tuple[Measured, ...] = ()

    def predicted_s(self, item: Measured) -> float:
        """Latency of a measured model by these costs."""
        return self.costs.cycles(item.features) / self.clock_hz

    def error(self, item: Measured) -> float:
        """Relative error of the predicted latency."""
        return self.predicted_s(item) / item.latency_s - 1

    @property
    def fitted(self) -> tuple[Measured, ...]:
        return tuple(item for item in self.measurements if item.is_fitted)


def read_calibration(table: Table) -> Calibration:
    """One of the ``calibration`` tables of a board's file."""
    return Calibration(
        runtime=table.text("runtime"),
        revision=table.name("revision"),
        kernels=kernel_set_name(table.name("kernels")),
        clock_hz=table.whole("clock_hz", 1, MOST_CLOCK_HZ),
        costs=CoreCosts(
            table.number("cycles_per_instruction", LEAST_COST, MOST_COST),
            table.number("unaligned_load_cycles", 0, MOST_COST, default=0),
            table.number("flash_cycles_per_byte", 0, MOST_COST, default=0),
        ),
        spread=Spread(
            table.number("relative_sd", 0, MOST_RELATIVE_SD),
            table.number("degrees_of_freedom", 1, MOST_COUNT),
        ),
        measurements=table.read_each("measurements", _measured),
    )


def _measured(table: Table) -> Measured:
    return Measured(
        model=table.text("model"),
        sha256=table.optional("sha256", table.matching, "[0-9a-f]{64}", "64 hexadecimal digits"),
        features=Features(
            table.number("instructions", 1, MOST_COUNT),
            table.number("unaligned_loads", 0, MOST_COUNT, default=0),
            table.number("streamed_bytes", 0, MOST_COUNT, default=0),
        ),
        latency_s=table.number("latency_s", LEAST_QUANTITY, MOST_QUANTITY),
        energy_j=table.optional("energy_j", table.number, LEAST_QUANTITY, MOST_QUANTITY),
        repeats=table.whole("repeats", 1, default=1),
        source=table.text("source"),
        is_fitted=table.flag("fitted", True),
        left_out_error=table.optional("left_out_error", table.number, -1, MOST_QUANTITY),
        reason=table.text("reason", ""),
    )
