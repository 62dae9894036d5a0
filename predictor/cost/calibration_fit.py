"""Fits the costs of a core to measurements.

Relative residuals, a robust loss and no negative cost::

    minimise  sum of soft_l1((costs . features / cycles - 1) / 1 %)

A cost is fitted where the measurements determine it: cycles per instruction by models that compute,
cycles per streamed byte by models that mostly read weights once, cycles per unaligned load where
there are enough models that differ in it. Others keep the value of the nearest other calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import fmean, median, stdev

from predictor.boards.calibration import Calibration, CoreCosts, Features, Measured
from predictor.boards.power import CONVOLUTION, FULLY_CONNECTED, Power
from predictor.errors import MeasurementError, MissingDependencyError
from predictor.install import install_command
from predictor.intervals import Spread

LEAST_ROWS = 2
STREAMED_PER_INSTRUCTION = 0.05
"""Bytes of weights per instruction from which on a model waits for the flash: a fully connected
layer reads 0.3 to 0.5, a convolution below 0.01."""
_ROWS_FOR_UNALIGNED = 6
_UNALIGNED_RANGE = 0.02
_ROWS_FOR_OUTLIERS = 5
_OUTLIER_DEVIATIONS = 4.0
_LEAST_OUTLIER = 0.05
_LOSS_SCALE = 0.01
_SINGLE_POWER_SD = 0.05
"""Relative spread of the power of a class with one measurement, where no other class says more."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """What holds where the measurements determine nothing: costs and spread of other boards."""

    costs: CoreCosts
    spread: Spread


def spread_of_others(others: Iterable[Calibration]) -> Spread | None:
    """How far this fit was off on other boards, for one whose own measurements leave no check.

    One degree of freedom, since nothing of the board itself is in it; None without any error.
    """
    errors = [
        item.left_out_error
        for other in others
        for item in other.fitted
        if item.left_out_error is not None
    ]
    return Spread(_root_mean_square(errors), 1) if errors else None


def is_streamed(features: Features) -> bool:
    """Whether a model mostly waits for weights that are read once."""
    return features.streamed_bytes > STREAMED_PER_INSTRUCTION * features.instructions


def fit(
    rows: Sequence[Measured],
    *,
    runtime: str,
    revision: str,
    kernels: str,
    clock_hz: int,
    nearest: Nearest,
) -> Calibration:
    """The calibration that measurements of one runtime, kernel set and clock give.

    Rows whose ``is_fitted`` is False are kept and not fitted; so are outliers, with the reason.

    Raises:
        MeasurementError: fewer than two rows to fit.
        MissingDependencyError: SciPy is not installed.
    """
    solver = _Solver(clock_hz, nearest.costs)
    used = [index for index, row in enumerate(rows) if row.is_fitted]
    if len(used) < LEAST_ROWS:
        count = {0: "no row", 1: "one point"}[len(used)]
        raise MeasurementError(
            f"{count} to fit: a calibration needs at least {LEAST_ROWS} measured models without "
            "doubt, better five that differ"
        )
    used, costs = _without_outliers(rows, used, solver)
    results = []
    errors = []
    for index, row in enumerate(rows):
        if index in used:
            others = [rows[other] for other in used if other != index]
            error = solver.left_out_error(row, others)
            errors += [] if error is None else [error]
            results.append(replace(row, left_out_error=error))
        elif row.is_fitted:
            reason = f"outlier: {100 * solver.error(row, costs):+.1f} % off the others' fit"
            results.append(replace(row, is_fitted=False, reason=reason))
        else:
            results.append(row)
    freedom = max(1, len(used) - len(_determined([rows[index] for index in used])))
    spread = Spread(_root_mean_square(errors), freedom) if errors else nearest.spread
    return Calibration(runtime, revision, kernels, clock_hz, costs, spread, tuple(results))


def _root_mean_square(values: Sequence[float]) -> float:
    return sqrt(fmean(value * value for value in values))


def fit_powers(
    samples: Mapping[str, Sequence[float]], clock_hz: int, supply_v: float | None = None
) -> dict[str, Power]:
    """Power by class of work: median and spread of energy / latency, in watts."""
    spreads = {
        name: stdev(values) / median(values) for name, values in samples.items() if len(values) > 1
    }
    fallback = max(spreads.values(), default=_SINGLE_POWER_SD)
    return {
        name: Power(
            median(samples[name]),
            Spread(spreads.get(name, fallback), max(1, len(samples[name]) - 1)),
            len(samples[name]),
            clock_hz,
            supply_v,
        )
        for name in (CONVOLUTION, FULLY_CONNECTED)
        if samples.get(name)
    }


_COLUMNS: Mapping[str, Callable[[Features], float]] = {
    "cycles_per_instruction": lambda features: features.instructions,
    "unaligned_load_cycles": lambda features: features.unaligned_loads,
    "flash_cycles_per_byte": lambda features: features.streamed_bytes,
}
"""Costs and what each is multiplied with."""


def _determined(rows: Sequence[Measured]) -> tuple[str, ...]:
    """The costs that these measurements determine."""
    found = []
    if any(not is_streamed(row.features) for row in rows):
        found.append("cycles_per_instruction")
    if any(is_streamed(row.features) for row in rows):
        found.append("flash_cycles_per_byte")
    shares = [row.features.unaligned_loads / row.features.instructions for row in rows]
    if len(rows) >= _ROWS_FOR_UNALIGNED and max(shares) - min(shares) > _UNALIGNED_RANGE:
        found.append("unaligned_load_cycles")
    return tuple(found)


def _without_outliers(
    rows: Sequence[Measured], used: list[int], solver: _Solver
) -> tuple[list[int], CoreCosts]:
    """Indices that stay, and the costs fitted to them."""
    while True:
        costs = solver.costs([rows[index] for index in used])
        errors = {index: solver.error(rows[index], costs) for index in used}
        deviation = 1.4826 * median(abs(error) for error in errors.values())
        limit = max(_OUTLIER_DEVIATIONS * deviation, _LEAST_OUTLIER)
        worst = max(used, key=lambda index: abs(errors[index]))
        if abs(errors[worst]) <= limit or len(used) < _ROWS_FOR_OUTLIERS:
            return used, costs
        used = [index for index in used if index != worst]


@dataclass(frozen=True, slots=True)
class _Solver:
    clock_hz: int
    nearest: CoreCosts

    def error(self, row: Measured, costs: CoreCosts) -> float:
        """Relative error of the prediction."""
        return costs.cycles(row.features) / (row.latency_s * self.clock_hz) - 1

    def left_out_error(self, row: Measured, others: Sequence[Measured]) -> float | None:
        """Error by a fit to the others; None if they do not determine what the row needs."""
        if not others or _determined(others) != _determined([row, *others]):
            return None
        return self.error(row, self.costs(others))

    def costs(self, rows: Sequence[Measured]) -> CoreCosts:
        """The robust non-negative fit; what is not determined stays that of ``nearest``."""
        try:
            import numpy as np
            from scipy.optimize import least_squares
        except ImportError as error:
            raise MissingDependencyError(
                f"SciPy is not installed: {install_command('calibrate')}"
            ) from error

        names = _determined(rows)
        cycles = np.array([row.latency_s * self.clock_hz for row in rows])
        fixed = replace(self.nearest, **dict.fromkeys(names, 0.0))
        matrix = np.array(
            [[_COLUMNS[name](row.features) for name in names] for row in rows]
        ) / cycles.reshape(-1, 1)
        target = 1 - np.array([fixed.cycles(row.features) for row in rows]) / cycles
        scale = np.maximum(np.abs(matrix).max(axis=0), 1e-12)
        solution = least_squares(
            lambda costs: (matrix / scale) @ costs - target,
            np.ones(len(names)),
            bounds=(0, np.inf),
            loss="soft_l1",
            f_scale=_LOSS_SCALE,
            xtol=1e-12,
            ftol=1e-12,
            gtol=1e-12,
        )
        found = {name: float(value) for name, value in zip(names, solution.x / scale, strict=True)}
        return replace(fixed, **found)
