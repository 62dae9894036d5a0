"""``predict calibrate``: costs of a board's core from measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor import toml
from predictor.boards.board import Board, board_path, find_board, parse_board, shipped_boards
from predictor.console.options import format_option
from predictor.console.output import emit, emit_text
from predictor.console.paths import FileCommand, OutputPath
from predictor.errors import EXIT_FITS, MeasurementError, OutputError, UsageError
from predictor.files import write_file

if TYPE_CHECKING:
    from predictor.boards.calibration import Features
    from predictor.cost.calibration_fit import Nearest
    from predictor.measure.measurements import Row
    from predictor.report.calibration import CalibrationReport, Sample

LEAST_CYCLES, MOST_CYCLES = 0.05, 50.0
"""Cycles per instruction: below and above, the latency or the clock is in another unit."""
_CONDITION_WORDS = {
    "runtime": "runtimes",
    "revision": "TFLM revisions",
    "kernels": "kernel sets",
    "clock_hz": "clocks",
}


@click.command(cls=FileCommand, name="calibrate", short_help="Fit a board's core to measurements.")
@click.argument("measurements", type=click.Path(path_type=Path))
@click.option("--board", required=True, help="Board file to calibrate, or name of a board.")
@click.option(
    "--output",
    type=OutputPath(updates=["board"]),
    help="Board file to write; default: that of --board.",
)
@click.option(
    "--plots",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for pictures: predicted against measured, and residuals.",
)
@format_option("text", "json")
def command(
    measurements: Path, board: str, output: Path | None, plots: Path | None, form: str
) -> int:
    """Fit cycles per instruction and per byte from flash to MEASUREMENTS, a CSV file.

    Writes the board file that predictions then use. The file's rows must be of one runtime,
    revision, kernel set and clock; rows of other boards are passed over. Nothing is written on an
    error.
    """
    from predictor.cost.calibration_fit import fit, fit_powers
    from predictor.cost.calibration_writer import updated
    from predictor.measure.measurements import read
    from predictor.report import calibration as report

    target = find_board(board)
    source, is_shipped = board_path(target, board)
    if output is None and is_shipped:
        raise UsageError(
            f"{board} ships with the package and is not changed; name a copy with --output"
        )
    rows = _of_board(read(measurements), target, measurements)
    conditions = _conditions(rows, measurements)
    samples = [_sample(row, target, measurements) for row in rows]
    powers = fit_powers(
        report.power_samples(samples), conditions["clock_hz"], _supply_v(rows, measurements)
    )
    result = fit(
        [item.measured for item in samples if item.measured is not None],
        **conditions,
        nearest=_nearest(target, rows[0]),
    )
    text = updated(source.read_text(encoding="utf-8"), result, powers)
    parse_board(toml.loads(text), f"the calibration for {output or source}")
    finished = report.CalibrationReport(target, result, powers, tuple(samples))
    if plots is not None:
        _write_plots(plots, finished)
    write_file(output or source, text)
    if form == "json":
        from predictor.report.json_report import dumps

        emit(dumps(finished.to_json()) + "\n", None)
    else:
        emit_text(finished.text() + f"written: {output or source}\n")
    return EXIT_FITS


def _of_board(rows: Sequence[Row], board: Board, path: Path) -> list[Row]:
    names = {board.name, *board.aliases}
    own = [row for row in rows if row.board.lower() in names]
    if not own:
        others = ", ".join(sorted({row.board for row in rows}))
        raise MeasurementError(f"{path} has no row of board {board.name}; its boards: {others}")
    return own


def _conditions(rows: Sequence[Row], path: Path) -> dict[str, Any]:
    """What all rows have in common.

    Raises:
        MeasurementError: they differ in runtime, revision, kernels or clock.
    """
    for name, words in _CONDITION_WORDS.items():
        values: dict[object, list[int]] = {}
        for row in rows:
            values.setdefault(row.conditions[name], []).append(row.line)
        if len(values) > 1:
            listed = "; ".join(
                f"{value} (lines {', '.join(map(str, lines))})" for value, lines in values.items()
            )
            raise MeasurementError(
                f"{path}: mixed {words}: {listed}. They are never pooled: split the file"
            )
    return rows[0].conditions


def _supply_v(rows: Sequence[Row], path: Path) -> float | None:
    """The supply voltage of the rows with an energy.

    Raises:
        MeasurementError: they differ in it.
    """
    volts = {row.supply_v for row in rows if row.energy_j is not None}
    if len(volts) > 1:
        listed = ", ".join("none" if value is None else f"{value:g} V" for value in volts)
        raise MeasurementError(f"{path}: mixed supply voltages: {listed}; split the file")
    return volts.pop() if volts else None


def _sample(row: Row, board: Board, path: Path) -> Sample:
    """A row with the counts of its model.

    Raises:
        MeasurementError: the model is unknown, or the latency is in another unit.
    """
    from predictor.boards.calibration import Features, Measured
    from predictor.report.calibration import Sample

    digest = row.sha256 or None
    if row.instructions is not None:
        features = Features(row.instructions, row.unaligned_loads or 0, row.streamed_bytes or 0)
        macs = None if row.macs is None else int(row.macs)
    else:
        file = _model_file(row, path)
        if file is None:
            if row.doubt and row.power_class:
                return Sample(row.model, None, row.power_class, row.power_w, None)
            raise MeasurementError(
                f"{path}:{row.line}: unknown model {row.model!r}: no such .tflite file beside "
                f"{path.name}, and the row gives no instructions"
            )
        features, macs, digest = _count(row, board, file)
    _check_unit(row, features, path)
    measured = Measured(
        model=row.model,
        features=features,
        latency_s=row.latency_s,
        source=row.source,
        sha256=digest,
        energy_j=row.energy_j,
        repeats=row.repeats,
        is_fitted=not row.doubt,
        reason=row.doubt,
    )
    return Sample(row.model, measured, row.power_class, row.power_w, macs)


def _model_file(row: Row, path: Path) -> Path | None:
    """The model by its path, else by its digest among the models beside the CSV file."""
    named = path.parent / row.model
    if named.is_file():
        if row.sha256 and _digest(named) != row.sha256:
            raise MeasurementError(
                f"{path}:{row.line}: {row.model} is another file than the one that was measured "
                "(its SHA-256 differs)"
            )
        return named
    wanted = row.sha256 or row.model.removeprefix("sha256:")
    candidates = path.parent.rglob("*.tflite") if len(wanted) == 64 else ()
    return next((file for file in candidates if _digest(file) == wanted), None)


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _count(row: Row, board: Board, file: Path) -> tuple[Features, int, str]:
    from predictor.cost.latency import features
    from predictor.prediction import predict

    prediction = predict(file, board, tflm=row.revision, kernels=row.kernels)
    return features(prediction.works), prediction.ops.total_macs, prediction.sha256 or ""


def _check_unit(row: Row, features: Features, path: Path) -> None:
    ratio = row.latency_s * row.clock_hz / features.instructions
    if not LEAST_CYCLES <= ratio <= MOST_CYCLES:
        raise MeasurementError(
            f"{path}:{row.line}: wrong unit: latency_s {row.latency_s:g} at {row.clock_hz} Hz "
            f"would be {ratio:.3g} cycles per instruction of {row.model}; give seconds and hertz"
        )


def _nearest(board: Board, row: Row) -> Nearest:
    """What holds for what the measurements do not determine: the other boards' calibrations."""
    from predictor.cost.calibration_fit import Nearest, spread_of_others
    from predictor.cost.latency import timing
    from predictor.memory.revision import load_revision

    found = timing(replace(board, calibrations=()), load_revision(row.revision, row.kernels))
    others = [item for item in shipped_boards() if item.name != board.name]
    spread = spread_of_others(item for other in others for item in other.calibrations)
    return Nearest(found.costs, spread or found.spread)


def _write_plots(folder: Path, finished: CalibrationReport) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}") from error
    for name, picture in finished.plots().items():
        write_file(folder / name, picture)
