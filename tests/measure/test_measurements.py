"""The CSV file of measurements: what is read, and what is refused with which words."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.errors import MeasurementError
from predictor.measure.measurements import Row, append, csv_text, read

ROW = Row(
    model="models/person.tflite",
    board="f746zg",
    clock_hz=216_000_000,
    runtime="TFLM, own build",
    revision="2026.08",
    kernels="cmsis_nn",
    latency_s=0.107987,
    energy_j=0.04932,
    repeats=10,
    source="bench, Monday",
    line=2,
)
HEADER = "model,board,clock_hz,runtime,revision,kernels,latency_s,energy_j,repeats,source"
LINE = "person.tflite,f746zg,216000000,TFLM,2026.08,cmsis_nn,0.107987,0.04932,10,bench"


def _file(folder: Path, *lines: str) -> Path:
    path = folder / "measurements.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "measurements.csv"
    other = replace(ROW, model="b.tflite", sha256="ab" * 32, energy_j=None, instructions=1e6)
    path.write_text(append(path, ROW))
    path.write_text(append(path, other))
    assert read(path) == (ROW, replace(other, line=3))


def test_comments_optional_columns_and_marks_of_spreadsheets(tmp_path: Path) -> None:
    lines = (
        "\ufeff" + HEADER,
        "# a comment, with a comma",
        "",
        LINE.replace(",0.04932,10,", ",,,"),
    )
    (row,) = read(_file(tmp_path, *lines))
    assert (row.energy_j, row.repeats, row.line) == (None, 1, 4)
    assert row.power_w is None


@pytest.mark.parametrize(
    ("header", "line", "words"),
    [
        ("latency_s>latency_ms", "", "wrong unit: column latency_ms is in milliseconds; give"),
        ("energy_j>energy_mJ", "", "column energy_mJ is in millijoules; give joules in a"),
        ("clock_hz>clock_MHz", "", "column clock_MHz is in megahertz; give hertz in a column"),
        ("latency_s>time", "", "unknown column 'time'"),
        (",source>", "", "column source is missing"),
        ("repeats>board", "", "column board is there twice"),
        ("", "216000000>216", ":2: wrong unit: clock_hz is 216; give hertz"),
        ("", "0.107987>107.987 ms", ":2: wrong unit: latency_s is '107.987 ms', not a"),
        ("", "0.04932>49.32", ":2: wrong unit: 49.32 J in 0.107987 s would be 457 W"),
        ("", "0.107987>fast", ":2: latency_s is 'fast', not a number of seconds"),
        ("", "0.107987>-1", ":2: latency_s is -1; it must be positive"),
        ("", "0.107987>nan", ":2: latency_s is nan; it must be positive"),
        ("", "0.107987>", ":2: latency_s is empty"),
        ("", ",10,>,2.5,", ":2: repeats is 2.5, not a positive whole number"),
        ("", ",bench>", ":2: 9 values for 10 columns"),
        ("", "TFLM>\"TFLM", ":2: "),
    ],
)  # fmt: skip
def test_malformed_files(header: str, line: str, words: str, tmp_path: Path) -> None:
    old_header, _, new_header = header.partition(">")
    old_line, _, new_line = line.partition(">")
    path = _file(tmp_path, HEADER.replace(old_header, new_header) if header else HEADER,
                 LINE.replace(old_line, new_line, 1) if line else LINE)  # fmt: skip
    with pytest.raises(MeasurementError, match=re.escape(words)):
        read(path)


def test_a_repeated_row(tmp_path: Path) -> None:
    path = _file(tmp_path, HEADER, LINE, LINE.replace("0.107987", "0.108"))
    with pytest.raises(MeasurementError, match=r":3: duplicated row: .* is in line 2 already"):
        read(path)
    path = _file(tmp_path, HEADER, LINE, LINE.replace("bench", "another bench"))
    assert len(read(path)) == 2


def test_a_row_is_not_added_twice(tmp_path: Path) -> None:
    path = tmp_path / "measurements.csv"
    path.write_text(csv_text([ROW]))
    with pytest.raises(MeasurementError, match="duplicated row"):
        append(path, ROW)


def test_a_file_without_the_columns_of_a_row(tmp_path: Path) -> None:
    path = _file(tmp_path, HEADER, LINE)
    with pytest.raises(MeasurementError, match="has no column sha256"):
        append(path, replace(ROW, sha256="ab" * 32))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (HEADER.encode(), "a header and no measurement"),
        (b"\xff\xfe\x00", "is not a text file"),
        (b"a,b\0,c\n", "unknown column|NUL"),
    ],
)
def test_files_that_hold_nothing(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "measurements.csv"
    path.write_bytes(content)
    with pytest.raises(MeasurementError, match=words):
        read(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match=r"cannot read .*No such file"):
        read(tmp_path / "none.csv")


@settings(deadline=None)
@given(st.lists(st.text(max_size=60), max_size=4), st.booleans())
def test_any_text_is_rows_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], has_header: bool
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "m.csv"
    path.write_text("\n".join([HEADER, *lines] if has_header else lines), "utf-8", "surrogatepass")
    with suppress(MeasurementError):
        assert all(row.latency_s > 0 for row in read(path))
