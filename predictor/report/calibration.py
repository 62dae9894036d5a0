"""What a calibration found: text, JSON and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from predictor.boards.board import Board
from predictor.cost.calibration import Calibration, Measured
from predictor.cost.calibration_fit import is_streamed
from predictor.cost.energy import CONVOLUTION, FULLY_CONNECTED, Power
from predictor.report.scatter import Axis, Series, scatter


@dataclass(frozen=True, slots=True)
class Sample:
    """A measured model as it came in. ``measured`` is None where only its power is used."""

    model: str
    measured: Measured | None
    power_class: str
    power_w: float | None
    macs: int | None


def power_samples(samples: Iterable[Sample]) -> dict[str, list[float]]:
    """Watts by class of work, of each measurement with an energy."""
    found: dict[str, list[float]] = {}
    for item in samples:
        if item.power_w is None:
            continue
        streams = item.measured is not None and is_streamed(item.measured.features)
        name = item.power_class or (FULLY_CONNECTED if streams else CONVOLUTION)
        found.setdefault(name, []).append(item.power_w)
    return found


@dataclass(frozen=True)
class CalibrationReport:
    """A finished calibration beside what went into it."""

    board: Board
    calibration: Calibration
    powers: Mapping[str, Power]
    samples: tuple[Sample, ...]

    def predicted_s(self, item: Measured) -> float:
        """Latency by the fit."""
        return self.calibration.costs.cycles(item.features) / self.calibration.clock_hz

    def error(self, item: Measured) -> float:
        """Relative error of the fit."""
        return self.predicted_s(item) / item.latency_s - 1

    def proxy_errors(self) -> dict[str, float]:
        """Left-out errors of the paper's proxy, latency proportional to operations, by model."""
        fitted = {item.model: item for item in self.calibration.fitted}
        macs = {item.model: item.macs for item in self.samples if item.macs}
        rates = {
            name: fitted[name].latency_s / count for name, count in macs.items() if name in fitted
        }
        return {
            name: fmean(other for key, other in rates.items() if key != name) / rate - 1
            for name, rate in rates.items()
            if len(rates) > 1
        }

    def text(self) -> str:
        """For terminals."""
        found, costs = self.calibration, self.calibration.costs
        count = f"{len(found.fitted)} of {len(found.measurements)} measurements fitted"
        lines = [
            f"{self.board.title}, {found.runtime}, counts of {found.revision} {found.kernels}, "
            f"{found.clock_hz / 1e6:g} MHz: {count}",
            f"  {costs.cycles_per_instruction:.4f} cycles per instruction, "
            f"{costs.flash_cycles_per_byte:.4f} per byte streamed from flash, "
            f"{costs.unaligned_load_cycles:.4f} per unaligned load",
            f"  spread of a further model {100 * found.spread.relative_sd:.2g} % "
            f"({found.spread.degrees_of_freedom:g} degrees of freedom)",
        ]
        for name, power in self.powers.items():
            lines.append(
                f"  power, {name.replace('_', ' ')}: {1e3 * power.active_w:.4g} mW, "
                f"sd {1e3 * power.active_w * power.spread.relative_sd:.2g} mW, "
                f"{power.measurements} measurements"
            )
        return "\n".join([*lines, "", *self._rows()]) + "\n"

    def _rows(self) -> Iterable[str]:
        proxies = self.proxy_errors()
        width = max(len(item.model) for item in self.calibration.measurements)
        yield (
            f"{'model':{width}} {'measured':>11} {'predicted':>11} {'error':>8} {'left out':>9} "
            f"{'op count':>9}"
        )
        for item in self.calibration.measurements:
            yield (
                f"{item.model:{width}} {1e3 * item.latency_s:>8.4g} ms "
                f"{1e3 * self.predicted_s(item):>8.4g} ms {_percent(self.error(item)):>8} "
                f"{_percent(item.left_out_error):>9} {_percent(proxies.get(item.model)):>9}"
                + (f"  not fitted: {item.reason}" if item.reason else "")
            )

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        found, costs = self.calibration, self.calibration.costs
        proxies = self.proxy_errors()
        return {
            "board": self.board.name,
            "runtime": found.runtime,
            "revision": found.revision,
            "kernels": found.kernels,
            "clock_hz": found.clock_hz,
            "cycles_per_instruction": costs.cycles_per_instruction,
            "unaligned_load_cycles": costs.unaligned_load_cycles,
            "flash_cycles_per_byte": costs.flash_cycles_per_byte,
            "relative_sd": found.spread.relative_sd,
            "degrees_of_freedom": found.spread.degrees_of_freedom,
            "powers": {
                name: {"active_w": power.active_w, "measurements": power.measurements}
                for name, power in self.powers.items()
            },
            "measurements": [
                {
                    "model": item.model,
                    "latency_s": item.latency_s,
                    "predicted_s": self.predicted_s(item),
                    "error": self.error(item),
                    "left_out_error": item.left_out_error,
                    "op_count_left_out_error": proxies.get(item.model),
                    "fitted": item.is_fitted,
                    "reason": item.reason,
                }
                for item in found.measurements
            ],
        }

    def plots(self) -> dict[str, str]:
        """Pictures by file name."""
        measured = self.calibration.measurements
        fitted = [item for item in measured if item.is_fitted]
        others = [item for item in measured if not item.is_fitted]
        span = [f(item.latency_s for item in measured) for f in (min, max)]
        title = f"{self.board.title}, {self.calibration.runtime}"
        agreement = [
            Series("fitted", self._points(fitted)),
            Series("not fitted", self._points(others)),
            Series("measured = predicted", tuple((s, s) for s in span), is_line=True),
        ]
        residuals = [
            Series("fitted", self._residuals(fitted)),
            Series("not fitted", self._residuals(others)),
            Series("left out", _left_out(fitted)),
            Series("no error", tuple((s, 0.0) for s in span), is_line=True),
        ]
        x = Axis("measured latency, s", is_log=True)
        return {
            "agreement.svg": scatter(title, x, Axis("predicted latency, s", True), agreement),
            "residuals.svg": scatter(title, x, Axis("error of the prediction, %"), residuals),
        }

    def _points(self, items: Sequence[Measured]) -> tuple[tuple[float, float], ...]:
        return tuple((item.latency_s, self.predicted_s(item)) for item in items)

    def _residuals(self, items: Sequence[Measured]) -> tuple[tuple[float, float], ...]:
        return tuple((item.latency_s, 100 * self.error(item)) for item in items)


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:+.1f} %"


def _left_out(items: Sequence[Measured]) -> tuple[tuple[float, float], ...]:
    return tuple(
        (item.latency_s, 100 * item.left_out_error)
        for item in items
        if item.left_out_error is not None
    )
