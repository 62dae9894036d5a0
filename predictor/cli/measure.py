"""``predict measure``: a model on a physical board."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from predictor.console.options import POSITIVE, tflm_options
from predictor.console.output import emit, emit_text
from predictor.console.paths import OUTPUT_PATH, FileCommand
from predictor.errors import EXIT_DOES_NOT_FIT, EXIT_FITS, PredictorError, UsageError
from predictor.files import scratch_folder, write_file
from predictor.prediction import DEFAULT_BOARD, Prediction
from predictor.start import say

if TYPE_CHECKING:
    from predictor.measure.board_run import BoardRun, Job
    from predictor.measure.current_trace import Window
    from predictor.measure.measurements import Row

_POLL_S = 0.5


@click.command(
    cls=FileCommand, name="measure", short_help="Run a model on a physical board and measure it."
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--board", default=DEFAULT_BOARD, show_default=True, help="Board name or file.")
@click.option("--port", help="Serial port of the board; default: that of the only ST-LINK.")
@click.option("--probe", "probe_id", help="Part of the debug probe's id; default: the only one.")
@click.option(
    "--repeats", type=click.IntRange(1, 1000), default=10, show_default=True, help="Inferences."
)
@click.option("--random", "seed", type=int, default=0, show_default=True, help="Seed of inputs.")
@tflm_options
@click.option("--layers", is_flag=True, help="Compare every operator's outputs with the host, too.")
@click.option(
    "--current",
    "trace_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV export of the current in this run (Otii, PPK2 or Joulescope); waits for it.",
)
@click.option("--supply-v", type=POSITIVE, help="Voltage of the supply, for traces without it.")
@click.option("--output", type=OUTPUT_PATH, help="Add the row to this file of measurements.")
def command(
    model: Path,
    board: str,
    port: str | None,
    probe_id: str | None,
    repeats: int,
    seed: int,
    kernels: str | None,
    tflm: str | None,
    tflm_dir: Path | None,
    layers: bool,
    trace_path: Path | None,
    supply_v: float | None,
    output: Path | None,
) -> int:
    """Measure MODEL on a board: build, flash, run, check the outputs, and write a row of CSV.

    The row is what `predict calibrate` reads. With --current, record the board's current and its
    marker pin while this command runs, then export the recording to that file.

    With --layers, the first inference also sends what every operator computed, and the first
    operator that differs from TFLM's Python runtime is named (exit code 1).
    """
    from predictor.firmware.registered_tflm import linkable_tflm
    from predictor.firmware.target import firmware_target
    from predictor.measure import board_run, measurements
    from predictor.proof.host_check import HostCheck
    from predictor.proof.model_run import random_inputs

    if layers and trace_path is not None:
        raise UsageError("--layers goes without --current: what is sent would be measured, too")
    _say("predicting")
    target = firmware_target(board, linkable_tflm(tflm, tflm_dir), kernels)
    firmware = target.linking_used(model)
    prediction = firmware.prediction
    for warning in firmware.warnings:
        say(f"predict: warning: {warning}")
    if not prediction.fits:
        say(f"predict: {model} does not fit {prediction.board.name}")
        return EXIT_DOES_NOT_FIT
    job = board_run.Job(firmware, random_inputs(prediction.deployed.graph, seed), repeats, layers)
    if output is not None and output.exists():
        measurements.read(output)  # says before the run what is wrong with the file
    started = time.time()
    run = _run(job, port, probe_id)
    folder = output.parent if output is not None else Path()
    row = board_run.row(run, job, os.path.relpath(model, folder))
    if trace_path is not None:
        windows = _windows(trace_path, started, supply_v)
        row = board_run.with_energy(row, run, windows, supply_v)
    emit_text(_text(run, row, prediction))
    if run.host is HostCheck.DIFFERENT or (run.layers is not None and run.layers.words):
        return PredictorError.exit_code
    if output is not None:
        write_file(output, measurements.append(output, row))
    else:
        emit(measurements.csv_text([row]), None)
    return EXIT_FITS


def _run(job: Job, port: str | None, probe_id: str | None) -> BoardRun:
    from predictor.measure.board_run import measure
    from predictor.measure.probe import PyOcdProbe
    from predictor.measure.serial_port import open_port

    with (
        scratch_folder() as folder,
        closing(open_port(port)) as opened,
        PyOcdProbe(job.prediction.board, probe_id) as probe,
    ):
        return measure(job, probe, opened, folder, _say)


def _windows(path: Path, started: float, supply_v: float | None) -> tuple[Window, ...]:
    """The inferences of a trace that was written after the run began; waits until it is there."""
    from predictor.measure.current_trace import windows

    size = -1
    _say(f"stop the recording and export it to {path}; waiting")
    while True:
        if path.is_file() and path.stat().st_mtime >= started:
            if path.stat().st_size == size:
                return windows(path, supply_v)
            size = path.stat().st_size
        time.sleep(_POLL_S)


def _say(text: str) -> None:
    say(f"{text} ...")


def _text(run: BoardRun, row: Row, prediction: Prediction) -> str:
    from predictor.cli.emulate_report import layers_text

    spread = max(run.latencies_s) / min(run.latencies_s) - 1
    expected = prediction.latency
    lines = [
        f"latency  {1e3 * row.latency_s:.4g} ms, median of {row.repeats}, "
        f"{100 * spread:.2g} % between fastest and slowest",
        f"         {1e3 * expected.seconds:.4g} ms predicted ({expected.evidence})",
    ]
    if row.energy_j is not None and row.power_w is not None:
        lines.append(f"energy   {1e3 * row.energy_j:.4g} mJ, {1e3 * row.power_w:.4g} mW")
    lines.append(f"outputs  {run.host.value}: {run.host_reason}")
    layers = "" if run.layers is None else layers_text(run.layers)
    return "\n".join(lines) + "\n" + layers
