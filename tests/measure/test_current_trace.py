"""Current traces of the known instruments, and the energy in their marked windows."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.errors import MeasurementError
from predictor.measure.current_trace import Window, windows

STEP_S = 1e-4
SUPPLY_V = 3.3
IDLE_A, ACTIVE_A = 0.010, 0.135
WINDOWS_S = ((0.010, 0.030), (0.050, 0.070))
"""Start and end of each inference."""


def _is_active(time_s: float) -> bool:
    return any(start <= time_s < end for start, end in WINDOWS_S)


def _samples(duration_s: float = 0.1) -> list[tuple[float, float, int]]:
    times = [i * STEP_S for i in range(round(duration_s / STEP_S))]
    return [(t, ACTIVE_A if _is_active(t) else IDLE_A, int(_is_active(t))) for t in times]


def otii(samples: list[tuple[float, float, int]]) -> str:
    lines = ['"Relative time (s)","Arc Main Current (A)","Arc Main Voltage (V)","Arc GPI1"']
    return "\n".join(lines + [f"{t:.6f},{a:.9f},{SUPPLY_V},{m}" for t, a, m in samples]) + "\n"


def otii_clock(samples: list[tuple[float, float, int]]) -> str:
    lines = ['"Wall-clock time (UTC)","Arc Main Current (mA)","Arc Main Voltage (mV)","Arc GPI1"']
    for t, a, m in samples:
        lines.append(f"2026-11-26T00:00:{t:09.6f}Z,{1e3 * a:.6f},{1e3 * SUPPLY_V},{m}")
    return "\n".join(lines) + "\n"


def ppk2(samples: list[tuple[float, float, int]]) -> str:
    lines = ["Timestamp(ms),Current(uA),D0-D7"]
    lines += [f"{1e3 * t:.3f},{1e6 * a:.3f},{m}0100000" for t, a, m in samples]
    return "\n".join(lines) + "\n"


def ppk2_single_bits(samples: list[tuple[float, float, int]]) -> str:
    lines = ["Timestamp(ms),Current(uA),D0,D1,D2,D3,D4,D5,D6,D7"]
    lines += [f"{1e3 * t:.3f},{1e6 * a:.3f},{m},1,0,0,0,0,0,0" for t, a, m in samples]
    return "\r\n".join(lines) + "\r\n"


def joulescope(samples: list[tuple[float, float, int]]) -> str:
    lines = ["#time,current,voltage,in0"]
    lines += [f"{t:.9f},{a:.9e},{SUPPLY_V:.4f},{m}" for t, a, m in samples]
    return "\n".join(lines) + "\n"


FORMATS = (otii, otii_clock, ppk2, ppk2_single_bits, joulescope)


def _write(folder: Path, text: str) -> Path:
    path = folder / "trace.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize("form", FORMATS)
def test_energy_of_each_window(form: object, tmp_path: Path) -> None:
    found = windows(_write(tmp_path, form(_samples())), SUPPLY_V)  # type: ignore[operator]
    assert len(found) == len(WINDOWS_S)
    for window, (start_s, end_s) in zip(found, WINDOWS_S, strict=True):
        assert window.duration_s == pytest.approx(end_s - start_s, abs=2 * STEP_S)
        energy_j = ACTIVE_A * SUPPLY_V * window.duration_s
        assert window.energy_j == pytest.approx(energy_j, rel=1e-6)


def test_windows_that_the_recording_cuts_off_are_left_out(tmp_path: Path) -> None:
    samples = [sample for sample in _samples() if 0.02 < sample[0] < 0.06]
    with pytest.raises(MeasurementError, match="never high between two lows"):
        windows(_write(tmp_path, otii(samples)))
    samples = [sample for sample in _samples() if sample[0] > 0.02]
    assert len(windows(_write(tmp_path, otii(samples)))) == 1


def test_samples_at_uneven_times(tmp_path: Path) -> None:
    samples = [s for i, s in enumerate(_samples()) if i % 3]
    for window in windows(_write(tmp_path, joulescope(samples))):
        assert window.duration_s == pytest.approx(0.02, abs=3 * STEP_S)
        assert window.energy_j == pytest.approx(ACTIVE_A * SUPPLY_V * window.duration_s)


def test_semicolons(tmp_path: Path) -> None:
    assert len(windows(_write(tmp_path, otii(_samples()).replace(",", ";")))) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("Main Current (A)>Main Current", "column 'Arc Main Current' has no unit; known: A, mA"),
        ("Main Current (A)>Main Current (W)", "has unit 'W'; known: A, mA"),
        ("Arc GPI1>Arc GPI2", "no column of the marker pin (otii: arc gpi1 or"),
        ("Arc Main Current>Power", "are of no known instrument (otii, ppk2, joulescope)"),
        ("0.000300,>0.000100,", ":5: time does not advance"),
        ("0.000300,0.0>0.000300,x", ":5: '0.000300,x1"),
        ("0.000300,0.010000000,3.3,0>0.000300", ":5: '0.000300' does not hold"),
        ("0.000300,0.010000000>0.000300,nan", ":5: time does not advance, or no finite power"),
    ],
)
def test_malformed_traces(change: str, words: str, tmp_path: Path) -> None:
    old, _, new = change.partition(">")
    text = otii(_samples())
    assert old in text
    with pytest.raises(MeasurementError, match=re.escape(words)):
        windows(_write(tmp_path, text.replace(old, new, 1)))


def test_the_voltage_is_asked_for(tmp_path: Path) -> None:
    path = _write(tmp_path, ppk2(_samples()))
    with pytest.raises(MeasurementError, match="holds no voltage; give the supply's with"):
        windows(path)


def test_too_few_samples(tmp_path: Path) -> None:
    path = _write(tmp_path, otii(_samples()[::50]))
    with pytest.raises(MeasurementError, match="4 samples, fewer than 10: sample faster"):
        windows(path)


def test_empty_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="no known instrument"):
        windows(_write(tmp_path, ""))
    with pytest.raises(MeasurementError, match="cannot read"):
        windows(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\0\1")
    with pytest.raises(MeasurementError, match="not a text file"):
        windows(tmp_path / "binary.csv")


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=200), st.integers(0, 3))
def test_any_text_is_windows_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, text: str, form: int
) -> None:
    header = FORMATS[form](_samples()).splitlines()[0]
    path = tmp_path_factory.mktemp("fuzz") / "trace.csv"
    path.write_text(f"{header}\n{text}", "utf-8", newline="")
    with suppress(MeasurementError):
        assert all(isinstance(window, Window) for window in windows(path, SUPPLY_V))
