"""The file of measurements: what ``predict measure`` writes and ``predict calibrate`` reads.

A CSV file with a header; lines that start with ``#`` are comments. Columns are described in
``docs/calibration.md``. Reading is strict: a value that is no number of the column's unit, a
missing or unknown column, or a row that repeats another is an error that names the line.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from predictor.boards.calibration import MOST_CLOCK_HZ
from predictor.boards.power import CONVOLUTION, FULLY_CONNECTED
from predictor.errors import MeasurementError
from predictor.kernel_sets import kernel_set_name
from predictor.records import dataclass
from predictor.toml import NAME, shown

REQUIRED = ("model", "board", "clock_hz", "runtime", "revision", "kernels", "latency_s", "source")
POWER_CLASSES = (CONVOLUTION, FULLY_CONNECTED)
_UNITS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "latency_s": ("seconds", {"latency_ms": "milliseconds", "latency_us": "microseconds"}),
    "energy_j": ("joules", {"energy_mj": "millijoules", "energy_uj": "microjoules"}),
    "clock_hz": ("hertz", {"clock_mhz": "megahertz", "clock_khz": "kilohertz"}),
    "supply_v": ("volts", {"supply_mv": "millivolts"}),
}
"""Unit of a column, and names that stand for it in another unit."""
LOWEST_CLOCK_HZ, HIGHEST_CLOCK_HZ = 10_000, MOST_CLOCK_HZ
LOWEST_POWER_W, HIGHEST_POWER_W = 1e-4, 50.0
LOWEST_SUPPLY_V, HIGHEST_SUPPLY_V = 0.5, 60.0
"""Beyond these, microcontroller boards do not run: the unit is wrong."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measured model.

    Args:
        model: name, or path of the .tflite file from the folder of the CSV file.
        board: name of the board; clock_hz: core clock in hertz.
        runtime: the software that ran, in words; rows of different runtimes are never pooled.
        revision: TFLM revision whose counts of instructions hold for it; kernels: its kernel set.
        latency_s: seconds of one inference, the median of ``repeats``.
        energy_j: joules of one inference, None where it was not measured.
        supply_v: voltage at which the energy was measured, None where it is not known.
        source: where the figures come from.
        sha256: digest of the model file.
        instructions, unaligned_loads, streamed_bytes, macs: counts of one inference, for models
            whose file is not at hand.
        power_class: class of work for the power, where it does not follow from the counts.
        doubt: why the row is reported but not fitted; empty for rows without doubt.
        line: line of the CSV file, 0 for a row that comes from none.
    """

    model: str
    board: str
    clock_hz: int
    runtime: str
    revision: str
    kernels: str
    latency_s: float
    energy_j: float | None = None
    repeats: int = 1
    source: str = ""
    sha256: str = ""
    instructions: float | None = None
    unaligned_loads: float | None = None
    streamed_bytes: float | None = None
    macs: float | None = None
    power_class: str = ""
    doubt: str = ""
    supply_v: float | None = None
    line: int = 0

    @property
    def conditions(self) -> dict[str, Any]:
        """What must be equal for rows to be pooled."""
        return {
            "runtime": self.runtime,
            "revision": self.revision,
            "kernels": self.kernels,
            "clock_hz": self.clock_hz,
        }

    @property
    def power_w(self) -> float | None:
        """Mean power while the model ran."""
        return None if self.energy_j is None else self.energy_j / self.latency_s


_NAMES = ("board", "revision", "kernels")
COLUMNS = tuple(field.name for field in fields(Row) if field.name != "line")


def read(path: Path) -> tuple[Row, ...]:
    """The rows of a file.

    Raises:
        MeasurementError: the file or a row is malformed, in a wrong unit, or repeated.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise MeasurementError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MeasurementError(f"{path} is not a text file: {error.reason}") from error
    lines = list(_content(text))
    if not lines:
        raise MeasurementError(f"{path} is empty; its first line must name the columns")
    header = _cells(path, *lines[0])
    _check_header(path, header)
    rows = tuple(_row(path, header, number, line) for number, line in lines[1:])
    if not rows:
        raise MeasurementError(f"{path} has a header and no measurement")
    _check_repeats(path, rows)
    return rows


def append(path: Path, row: Row) -> str:
    """The content of a file with a row added; a header first where the file does not exist.

    Raises:
        MeasurementError: the file is not one of measurements, or holds the row already.
    """
    if not path.exists():
        return csv_text((row,))
    existing = read(path)
    text = path.read_text(encoding="utf-8-sig")
    header = _cells(path, *next(_content(text)))
    _check_repeats(path, (*existing, row))
    missing = [name for name in COLUMNS if name not in header and _text(row, name)]
    if missing:
        raise MeasurementError(
            f"{path} has no column {missing[0]}, which this measurement needs; "
            "write it to another file"
        )
    separator = "" if text.endswith("\n") else "\n"
    return text + separator + _line(_text(row, name) for name in header)


def csv_text(rows: Iterable[Row]) -> str:
    """A file of measurements with all columns."""
    lines = (_line(_text(row, name) for name in COLUMNS) for row in rows)
    return _line(COLUMNS) + "".join(lines)


def _content(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments and blanks."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line


def _cells(path: Path, number: int, line: str) -> list[str]:
    try:
        (cells,) = csv.reader([line], strict=True)
    except (csv.Error, ValueError) as error:
        raise MeasurementError(f"{path}:{number}: {error}") from error
    return [cell.strip() for cell in cells]


def _check_header(path: Path, header: list[str]) -> None:
    for name in header:
        for column, (unit, others) in _UNITS.items():
            if name.lower() in others:
                raise MeasurementError(
                    f"{path}: wrong unit: column {name} is in {others[name.lower()]}; "
                    f"give {unit} in a column {column}"
                )
        if name not in COLUMNS:
            raise MeasurementError(f"{path}: unknown column {name!r}; known: {', '.join(COLUMNS)}")
        if header.count(name) > 1:
            raise MeasurementError(f"{path}: column {name} is there twice")
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise MeasurementError(f"{path}: column {missing[0]} is missing")


def _row(path: Path, header: list[str], number: int, line: str) -> Row:
    cells = _cells(path, number, line)
    where = f"{path}:{number}"
    if len(cells) != len(header):
        raise MeasurementError(f"{where}: {len(cells)} values for {len(header)} columns")
    given = dict(zip(header, cells, strict=True))
    for name in REQUIRED:
        if not given[name]:
            raise MeasurementError(f"{where}: {name} is empty")
    for name, text in given.items():
        if not text.isprintable():
            raise MeasurementError(f"{where}: {name} holds control characters: {shown(text)}")
    for name in _NAMES:
        if NAME.fullmatch(given[name]) is None:
            raise MeasurementError(
                f"{where}: {name} is {shown(given[name])}; names have letters, digits and '_.-'"
            )
    values: dict[str, Any] = {name: text for name, text in given.items() if text}
    for name, convert in _NUMBERS.items():
        if name in values:
            values[name] = convert(where, name, values[name])
    values["kernels"] = kernel_set_name(values["kernels"])
    row = Row(**values, line=number)
    _check_values(where, row)
    return row


def _number(where: str, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        unit = f" of {_UNITS[name][0]}" if name in _UNITS else ""
        words = (
            "wrong unit: " if re.fullmatch(r"[-+.\d]+(e[-+]?\d+)?\s*[a-zµ]+", text, re.I) else ""
        )
        raise MeasurementError(f"{where}: {words}{name} is {text!r}, not a number{unit}") from None
    if not math.isfinite(value) or value < 0 or (value == 0 and name in _UNITS):
        raise MeasurementError(f"{where}: {name} is {text}; it must be positive")
    return value


def _whole(where: str, name: str, text: str) -> int:
    value = _number(where, name, text)
    if value != int(value) or value < 1:
        raise MeasurementError(f"{where}: {name} is {text}, not a positive whole number")
    return int(value)


_NUMBERS: Mapping[str, Callable[[str, str, str], float]] = {
    "clock_hz": _whole,
    "latency_s": _number,
    "energy_j": _number,
    "repeats": _whole,
    "instructions": _number,
    "unaligned_loads": _number,
    "streamed_bytes": _number,
    "macs": _number,
    "supply_v": _number,
}


def _check_values(where: str, row: Row) -> None:
    if not LOWEST_CLOCK_HZ <= row.clock_hz <= HIGHEST_CLOCK_HZ:
        raise MeasurementError(
            f"{where}: wrong unit: clock_hz is {row.clock_hz}; give hertz, as 216000000 for 216 MHz"
        )
    watts = row.power_w
    if watts is not None and not LOWEST_POWER_W <= watts <= HIGHEST_POWER_W:
        raise MeasurementError(
            f"{where}: wrong unit: {row.energy_j:g} J in {row.latency_s:g} s would be "
            f"{watts:.3g} W; give joules and seconds"
        )
    if row.supply_v is not None and not LOWEST_SUPPLY_V <= row.supply_v <= HIGHEST_SUPPLY_V:
        raise MeasurementError(f"{where}: wrong unit: supply_v is {row.supply_v:g}; give volts")
    if row.power_class and row.power_class not in POWER_CLASSES:
        raise MeasurementError(
            f"{where}: power_class is {row.power_class!r}, not one of {', '.join(POWER_CLASSES)}"
        )
    if row.instructions is None and (row.unaligned_loads or row.streamed_bytes):
        raise MeasurementError(f"{where}: unaligned_loads and streamed_bytes need instructions")


def _check_repeats(path: Path, rows: Iterable[Row]) -> None:
    seen: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = (row.sha256 or row.model, row.board, *row.conditions.values(), row.source)
        first = seen.setdefault(key, row)
        if first is not row:
            raise MeasurementError(
                f"{path}:{row.line}: duplicated row: {row.model} on {row.board} from the same "
                f"source is in line {first.line} already; give repeats instead"
            )


def _line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _text(row: Row, name: str) -> str:
    value = getattr(row, name)
    if value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(value)
