"""Energy of inferences from current traces: CSV exports of Otii, PPK2 and Joulescope.

The firmware holds its marker pin high while Invoke runs; the instrument records that pin beside the
current. Each stretch of samples with a high pin is one inference. Traces are read as a stream, so
that their length does not matter.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from predictor import toml
from predictor.errors import MeasurementError
from predictor.records import dataclass

LEAST_SAMPLES = 10
"""Samples in a window below which its ends weigh too much."""
_SCALES: Mapping[str, Mapping[str, float]] = {
    "time": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "UTC": 1.0},
    "current": {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "µA": 1e-6, "nA": 1e-9},
    "voltage": {"V": 1.0, "mV": 1e-3},
}
_HEADING = re.compile(r"^#?\s*(?P<name>.*?)\s*(?:[(](?P<unit>[^()]*)[)])?$")


@dataclass(frozen=True, slots=True)
class Window:
    """One inference: when it began, how long it took, what it used."""

    start_s: float
    duration_s: float
    energy_j: float
    samples: int


@dataclass(frozen=True, slots=True)
class _Column:
    index: int
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class _Sample:
    time_s: float
    power_w: float
    is_high: bool


def windows(path: Path, supply_v: float | None = None) -> tuple[Window, ...]:
    """The inferences in a trace, in order.

    Args:
        supply_v: voltage of the supply, for traces that hold none.

    Raises:
        MeasurementError: no known instrument, a unit or the voltage is missing, values are no
            numbers, time does not advance, the marker never changes or is sampled too rarely.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            found = tuple(_windows(_samples(path, file, supply_v)))
    except OSError as error:
        raise MeasurementError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MeasurementError(f"{path} is not a text file: {error.reason}") from error
    if not found:
        raise MeasurementError(
            f"{path}: the marker is never high between two lows: connect the board's marker pin "
            "to the instrument and record from before the first inference to after the last"
        )
    shortest = min(found, key=lambda window: window.samples)
    if shortest.samples < LEAST_SAMPLES:
        raise MeasurementError(
            f"{path}: the inference at {shortest.start_s:.6g} s has {shortest.samples} samples, "
            f"fewer than {LEAST_SAMPLES}: sample faster"
        )
    return found


@cache
def instruments() -> Mapping[str, Any]:
    """What the columns of each known instrument are called."""
    with Path(__file__).with_name("trace_columns.toml").open("rb") as file:
        return toml.load(file)


def _windows(samples: Iterable[_Sample]) -> Iterator[Window]:
    """Each sample stands for the time half-way to its neighbours.

    A window that is open where the trace begins or ends is cut off, and left out.
    """
    before: _Sample | None = None
    now: _Sample | None = None
    start_s = energy_j = duration_s = 0.0
    count = 0
    is_whole = False
    for after in samples:
        if before is not None and now is not None and now.is_high:
            if not before.is_high:
                start_s, energy_j, duration_s, count, is_whole = now.time_s, 0.0, 0.0, 0, True
            share_s = (after.time_s - before.time_s) / 2
            energy_j += now.power_w * share_s
            duration_s += share_s
            count += 1
            if is_whole and not after.is_high:
                yield Window(start_s, duration_s, energy_j, count)
        before, now = now, after


def _samples(path: Path, lines: Iterable[str], supply_v: float | None) -> Iterator[_Sample]:
    numbered = iter(enumerate(lines, 1))
    header = next(numbered, (1, ""))[1]
    delimiter = max(",;\t", key=header.count)
    columns = _columns(path, next(csv.reader([header], delimiter=delimiter), []))
    if "voltage" not in columns and supply_v is None:
        raise MeasurementError(f"{path} holds no voltage; give the supply's with --supply-v")
    last_s = -math.inf
    for number, line in numbered:
        if not line.strip():
            continue
        cells = line.rstrip("\r\n").split(delimiter)
        try:
            sample = _sample(cells, columns, supply_v or 0.0)
        except (ValueError, IndexError):
            raise MeasurementError(
                f"{path}:{number}: {line.strip()[:60]!r} does not hold the columns' numbers"
            ) from None
        if not sample.time_s > last_s or not math.isfinite(sample.power_w):
            raise MeasurementError(f"{path}:{number}: time does not advance, or no finite power")
        last_s = sample.time_s
        yield sample


def _sample(cells: list[str], columns: Mapping[str, _Column], supply_v: float) -> _Sample:
    time, current, marker = columns["time"], columns["current"], columns["marker"]
    volts = supply_v
    if "voltage" in columns:
        volts = _value(cells[columns["voltage"].index]) * columns["voltage"].scale
    return _Sample(
        _time(cells[time.index]) * time.scale,
        _value(cells[current.index]) * current.scale * volts,
        _is_high(cells[marker.index]),
    )


def _value(cell: str) -> float:
    return float(cell.strip('" '))


def _time(cell: str) -> float:
    text = cell.strip('" ')
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _is_high(cell: str) -> bool:
    """The first bit of "10000000", or a number other than zero; "X" is both levels, "-" unknown."""
    text = cell.strip('" ')
    if len(text) == 8 and set(text) <= set("01X-"):
        text = text[0]
    return text not in ("X", "-") and float(text) != 0


def _columns(path: Path, header: list[str]) -> dict[str, _Column]:
    headings = [_HEADING.match(cell.strip().strip('"')) for cell in header]
    names = [match["name"].lower() if match else "" for match in headings]
    units = [match["unit"] if match else None for match in headings]
    lacking: dict[str, str] = {}
    for instrument, known in instruments().items():
        found = {
            role: names.index(name)
            for role in ("time", "current", "voltage", "marker")
            for name in reversed(known.get(role, []))
            if name in names
        }
        missing = [role for role in ("time", "current", "marker") if role not in found]
        if not missing:
            own = known.get("units", {})
            return {
                role: _Column(i, _scale(path, role, units[i] or own.get(role, ""), header[i]))
                for role, i in found.items()
            }
        if missing == ["marker"]:
            lacking[instrument] = " or ".join(known["marker"])
    if lacking:
        pins = "; ".join(f"{name}: {columns}" for name, columns in lacking.items())
        raise MeasurementError(
            f"{path} has no column of the marker pin ({pins}): export the digital input, too"
        )
    known_instruments = ", ".join(instruments())
    raise MeasurementError(
        f"{path}: columns {', '.join(header)[:120]!r} are of no known instrument "
        f"({known_instruments})"
    )


def _scale(path: Path, role: str, unit: str, heading: str) -> float:
    if role == "marker":
        return 1.0
    scales = _SCALES[role]
    if unit not in scales:
        raise MeasurementError(
            f"{path}: column {heading!r} has {f'unit {unit!r}' if unit else 'no unit'}; "
            f"known: {', '.join(scales)}"
        )
    return scales[unit]
