"""What a calibration found: text, JSON and pictures."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from predictor.boards.board import Board
from predictor.boards.calibration import Calibration, Measured
from predictor.boards.power import CONVOLUTION, FULLY_CONNECTED, Power
from predictor.cost.calibration_fit import is_streamed
from predictor.cost.coverage import further_model_spread, uncovered
from predictor.records import dataclass
from predictor.report.scatter import Axis, Series, scatter
from predictor.words import counted

_NAME_WIDTH = 26


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
        found = self.calibration
        count = f"{len(found.fitted)} of {len(found.measurements)} measurements fitted"
        lines = [
            *_wrapped(
                f"{self.board.title}, {found.runtime}, counts of {found.revision} "
                f"{found.kernels}, {found.clock_hz / 1e6:g} MHz: {count}",
                "",
            ),
            *cost_lines(found),
        ]
        lines += power_lines(self.powers)
        return "\n".join([*lines, "", *row_lines(found, self.proxy_errors())]) + "\n"

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
                    "predicted_s": self.calibration.predicted_s(item),
                    "error": self.calibration.error(item),
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
        return tuple((item.latency_s, self.calibration.predicted_s(item)) for item in items)

    def _residuals(self, items: Sequence[Measured]) -> tuple[tuple[float, float], ...]:
        return tuple((item.latency_s, 100 * self.calibration.error(item)) for item in items)


def cost_lines(found: Calibration) -> list[str]:
    """What a calibration says of its core, and how sure it is, at most 80 columns wide."""
    costs, spread = found.costs, further_model_spread(found)
    return [
        f"  {costs.cycles_per_instruction:.4f} cycles per instruction, "
        f"{costs.flash_cycles_per_byte:.4f} per byte streamed from flash,",
        f"  {costs.unaligned_load_cycles:.4f} per unaligned load; a further model within "
        f"{100 * (spread.factor(95) - 1):.0f} % at 95 %",
    ]


def power_lines(powers: Mapping[str, Power]) -> list[str]:
    """Powers by class of work, at most 80 columns wide."""
    return [
        f"  power, {name.replace('_', ' ')}: {1e3 * power.active_w:.4g} mW, "
        f"sd {1e3 * power.active_w * power.spread.relative_sd:.2g} mW, "
        f"{counted(power.measurements, 'measurement')}"
        for name, power in powers.items()
    ]


def row_lines(found: Calibration, proxies: Mapping[str, float] | None = None) -> Iterable[str]:
    """The measurements of a calibration beside what it makes of them; reasons stand below.

    Args:
        proxies: left-out errors of a count of operations, by model, for a column of their own.
    """
    if not found.measurements:
        return
    shown = [(item, _short(item.model)) for item in found.measurements]
    width = max(len("model"), *(len(name) for _, name in shown))
    more = "" if proxies is None else f" {'op count':>9}"
    yield f"{'model':{width}} {'measured':>11} {'predicted':>11} {'error':>8} {'left out':>9}{more}"
    for item, name in shown:
        more = "" if proxies is None else f" {_percent(proxies.get(item.model)):>9}"
        yield (
            f"{name:{width}} {1e3 * item.latency_s:>8.4g} ms "
            f"{1e3 * found.predicted_s(item):>8.4g} ms {_percent(found.error(item)):>8} "
            f"{_percent(item.left_out_error):>9}{more}"
        )
    outside = {id(item) for item, _ in uncovered(found)}
    reasons: dict[str, list[str]] = {}
    for item, name in shown:
        if not item.is_fitted:
            where = ", outside the interval of 95 %" if id(item) in outside else ""
            reasons.setdefault(f"{item.reason or 'no reason given'}{where}", []).append(name)
    for reason, names in reasons.items():
        yield from _wrapped(f"not fitted: {', '.join(names)}: {reason}", "  ")


def _short(name: str) -> str:
    """The end of a name that is too long for the table."""
    return name if len(name) <= _NAME_WIDTH else f"...{name[3 - _NAME_WIDTH :]}"


def _wrapped(line: str, indent: str) -> list[str]:
    return textwrap.wrap(line, 78, initial_indent=indent, subsequent_indent="  " + indent)


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:+.1f} %"


def _left_out(items: Sequence[Measured]) -> tuple[tuple[float, float], ...]:
    return tuple(
        (item.latency_s, 100 * item.left_out_error)
        for item in items
        if item.left_out_error is not None
    )
