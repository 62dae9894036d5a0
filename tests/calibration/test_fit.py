"""The fit of a core's costs, on measurements whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("scipy", reason="pip install -e '.[calibrate]'")

from predictor.boards.calibration import Calibration, CoreCosts, Features, Measured
from predictor.cost.calibration_fit import Nearest, fit, fit_powers, spread_of_others
from predictor.errors import MeasurementError
from predictor.intervals import Spread

CLOCK_HZ = 216_000_000
NEAREST = Nearest(CoreCosts(1.5, 2.0, 0.3), Spread(0.25, 4))
TRUTH = CoreCosts(1.03, 0.0, 0.45)


def _row(features: Features, costs: CoreCosts = TRUTH, factor: float = 1.0) -> Measured:
    seconds = costs.cycles(features) * factor / CLOCK_HZ
    return Measured(f"{features.instructions:.0f}", features, seconds, "test")


def _convolutions(count: int, unaligned: float = 0.0) -> list[Features]:
    return [Features(1e6 * (i + 1), unaligned * i * 1e6 * (i + 1)) for i in range(count)]


CONNECTED = Features(580_000, 0, 264_192)


def _fit(rows: list[Measured], nearest: Nearest = NEAREST) -> Calibration:
    conditions: dict[str, Any] = {"runtime": "r", "revision": "2026.08", "kernels": "cmsis_nn"}
    return fit(rows, **conditions, clock_hz=CLOCK_HZ, nearest=nearest)


def test_exact_measurements_give_the_truth() -> None:
    nearest = replace(NEAREST, costs=CoreCosts(1.5, 0.0, 0.3))
    found = _fit([_row(f) for f in (*_convolutions(3), CONNECTED)], nearest)
    assert found.costs.cycles_per_instruction == pytest.approx(1.03, rel=1e-6)
    assert found.costs.flash_cycles_per_byte == pytest.approx(0.45, rel=1e-5)
    assert found.spread.relative_sd < 1e-6
    errors = [item.left_out_error for item in found.measurements]
    assert errors[3] is None  # no other model says what streaming costs
    assert errors[:3] == pytest.approx([0, 0, 0], abs=1e-6)


def test_what_is_not_measured_stays_that_of_other_boards() -> None:
    found = _fit([_row(f) for f in _convolutions(3)])
    assert found.costs.flash_cycles_per_byte == NEAREST.costs.flash_cycles_per_byte
    assert found.costs.unaligned_load_cycles == NEAREST.costs.unaligned_load_cycles
    connected = [_row(CONNECTED), _row(Features(1e6, 0, 4e5))]
    found = _fit(connected)
    assert found.costs.cycles_per_instruction == NEAREST.costs.cycles_per_instruction
    assert found.costs.flash_cycles_per_byte >= 0


def test_two_measurements_that_determine_two_costs_leave_no_check() -> None:
    found = _fit([_row(_convolutions(1)[0]), _row(CONNECTED)])
    assert found.spread == NEAREST.spread
    assert [item.left_out_error for item in found.measurements] == [None, None]


def test_unaligned_loads_are_fitted_where_models_differ_in_them() -> None:
    truth = CoreCosts(1.03, 6.0)
    rows = [_row(f, truth) for f in _convolutions(7, unaligned=0.05)]
    assert _fit(rows).costs.unaligned_load_cycles == pytest.approx(6.0, rel=1e-4)
    few = _fit(rows[:5])
    assert few.costs.unaligned_load_cycles == NEAREST.costs.unaligned_load_cycles


def test_no_cost_is_negative() -> None:
    """A fully connected model that is faster than its instructions alone."""
    fast = replace(_row(CONNECTED), latency_s=0.5 * CONNECTED.instructions / CLOCK_HZ)
    costs = _fit([*(_row(f) for f in _convolutions(3)), fast]).costs
    assert costs.flash_cycles_per_byte >= 0
    assert costs.cycles_per_instruction == pytest.approx(1.03, rel=0.02)


def test_an_outlier_is_reported_and_not_fitted() -> None:
    rows = [_row(f, factor=1.0 + 0.002 * (-1) ** i) for i, f in enumerate(_convolutions(6))]
    rows[2] = replace(rows[2], latency_s=1.45 * rows[2].latency_s)
    found = _fit(rows)
    assert [item.is_fitted for item in found.measurements] == [i != 2 for i in range(6)]
    assert found.measurements[2].reason.startswith("outlier: -31")
    clean = _fit([row for i, row in enumerate(rows) if i != 2])
    assert found.costs == clean.costs
    assert found.spread.relative_sd < 0.01


def test_a_bad_row_among_few_is_damped() -> None:
    rows = [_row(f) for f in _convolutions(4)]
    rows[3] = replace(rows[3], latency_s=1.3 * rows[3].latency_s)
    found = _fit(rows)
    assert all(item.is_fitted for item in found.measurements)
    assert found.costs.cycles_per_instruction == pytest.approx(1.03, rel=0.02)
    assert found.measurements[3].left_out_error == pytest.approx(1 / 1.3 - 1, rel=0.01)


def test_doubtful_rows_are_kept_and_not_fitted() -> None:
    doubtful = replace(_row(Features(5e6), factor=3.0), is_fitted=False, reason="geometry")
    found = _fit([*(_row(f) for f in _convolutions(2)), doubtful])
    assert found.measurements[2] == doubtful
    assert found.costs.cycles_per_instruction == pytest.approx(1.03, rel=1e-6)


@pytest.mark.parametrize(("count", "words"), [(0, "no row to fit"), (1, "one point to fit")])
def test_too_few(count: int, words: str) -> None:
    rows = [_row(f) for f in _convolutions(count)]
    rows += [replace(_row(Features(5e6)), is_fitted=False)]
    with pytest.raises(MeasurementError, match=words):
        _fit(rows)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 4), st.floats(0, 2), st.integers(2, 6), st.integers(0, 3), st.integers(0, 99))
def test_noisy_measurements_give_nearly_the_truth(
    per_instruction: float, per_byte: float, convolutions: int, connected: int, seed: int
) -> None:
    noise = np.random.default_rng(seed)
    truth = CoreCosts(per_instruction, 0.0, per_byte)
    features = _convolutions(convolutions)
    features += [Features(1e5 * (i + 5), 0, 4e4 * (i + 5)) for i in range(connected)]
    rows = [_row(f, truth, float(noise.normal(1, 0.003))) for f in features]
    found = _fit(rows, replace(NEAREST, costs=CoreCosts(1.0, 0.0, per_byte)))
    assert found.costs.cycles_per_instruction == pytest.approx(per_instruction, rel=0.015)
    for row in rows:
        assert found.costs.cycles(row.features) == pytest.approx(
            row.latency_s * CLOCK_HZ, rel=0.025
        )


def test_the_interval_of_a_further_model_holds_as_often_as_it_says() -> None:
    """Simulated boards with four convolution models each: 95 % intervals."""
    noise = np.random.default_rng(1)
    inside = 0
    boards = 300
    for _ in range(boards):
        rows = [_row(f, factor=float(noise.lognormal(0, 0.01))) for f in _convolutions(4)]
        found = _fit(rows)
        truth = TRUTH.cycles_per_instruction * noise.lognormal(0, 0.01)
        interval = found.spread.interval(found.costs.cycles_per_instruction, 95)
        inside += float(truth) in interval
    assert 0.93 <= inside / boards <= 1.0


def test_spread_from_other_boards() -> None:
    rows = [_row(f, factor=1 + 0.01 * (-1) ** i) for i, f in enumerate(_convolutions(4))]
    other = _fit(rows)
    spread = spread_of_others([other])
    assert spread is not None
    assert spread.relative_sd == pytest.approx(other.spread.relative_sd)
    assert spread.degrees_of_freedom == 1
    assert spread_of_others([]) is None


def test_powers() -> None:
    found = fit_powers({"convolution": [0.44, 0.45, 0.46], "fully_connected": [0.38]}, 10**8, 3.3)
    assert found["convolution"].active_w == 0.45
    assert found["convolution"].spread.relative_sd == pytest.approx(0.01 / 0.45)
    assert found["fully_connected"].spread.relative_sd == pytest.approx(0.01 / 0.45)
    assert found["fully_connected"].measurements == 1
    assert {(power.clock_hz, power.supply_v) for power in found.values()} == {(10**8, 3.3)}
    assert fit_powers({}, 10**8) == {}
