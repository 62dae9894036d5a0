"""One job of ``predict emulate``: a model on a board, predicted, built, run and compared."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from predictor.boards.board import find_board
from predictor.console.output import wants_color
from predictor.errors import (
    EXIT_DOES_NOT_FIT,
    EXIT_FITS,
    FlashOverflowError,
    PredictorError,
    UsageError,
)
from predictor.files import write_file
from predictor.prediction import Prediction
from predictor.records import dataclass
from predictor.report.notes import misfit

if TYPE_CHECKING:
    from predictor.firmware.target import FirmwareTarget, ModelFirmware
    from predictor.firmware.tflm_library import Tflm
    from predictor.proof.host_check import Array
    from predictor.proof.layer_check import LayerCheck
    from predictor.proof.model_run import ModelRun, RunOptions


@dataclass(frozen=True)
class Job:
    """One model on one board, with what the command line says about it."""

    model: Path
    board: str
    backend: str
    tflm: Tflm
    kernels: str | None
    input_path: Path | None
    seed: int
    arena_bytes: int | None
    max_instructions: int | None
    timeout_s: float | None
    robot: Path | None
    profile: Path | None
    trace: Path | None
    layers: bool
    explain_time: bool
    force: bool
    memory: str | None
    persistent_memory: str | None


@dataclass(frozen=True)
class Outcome:
    """What became of a job: a run, or the reason why there is none."""

    job: Job
    exit_code: int
    seconds: float
    text: str = ""
    json: dict[str, Any] | None = None
    problem: str | None = None
    by_hand: str | None = None
    """The command that opens the same machine in Renode."""

    @property
    def name(self) -> str:
        return f"{self.job.model.name} on {self.job.board}"


def run_job(job: Job, progress: Callable[[str], None] = lambda text: None) -> Outcome:
    """Predicts, builds, runs and compares; problems are outcomes."""
    start = time.perf_counter()
    try:
        return _run_job(job, progress, start)
    except UsageError:
        raise
    except PredictorError as error:
        seconds = time.perf_counter() - start
        return Outcome(job, error.exit_code, seconds, problem=str(error))


def _run_job(job: Job, progress: Callable[[str], None], start: float) -> Outcome:
    tried: list[ModelFirmware] = []

    def use(firmware: ModelFirmware) -> Outcome:
        tried.append(firmware)
        return _outcome(job, firmware, progress, start)

    try:
        return job_target(job).run(job.model, use)
    except FlashOverflowError as error:
        prediction = tried[-1].prediction
        if prediction.fits:
            raise
        problem = f"{misfit(prediction)}; emulated: {error}"
        return Outcome(job, EXIT_DOES_NOT_FIT, time.perf_counter() - start, problem=problem)


def job_target(job: Job) -> FirmwareTarget:
    from predictor.emulation.backends import emulated_board
    from predictor.firmware.target import firmware_target

    return firmware_target(
        emulated_board(job.backend, find_board(job.board)),
        job.tflm,
        job.kernels,
        job.memory,
        job.persistent_memory,
    )


def _outcome(
    job: Job, firmware: ModelFirmware, progress: Callable[[str], None], start: float
) -> Outcome:
    from predictor.cli.emulate_report import (
        layers_json,
        layers_text,
        run_json,
        text_report,
        time_report,
    )
    from predictor.cli.renode_files import kept_for_renode
    from predictor.report.layout import render

    prediction = firmware.prediction
    if not prediction.fits and not job.force:
        problem = f"{misfit(prediction)}: {'; '.join(prediction.remedies)}"
        return Outcome(job, EXIT_DOES_NOT_FIT, time.perf_counter() - start, problem=problem)
    options, inputs = _options(job, firmware), _inputs(job, firmware)
    run = _run(firmware, inputs, options, progress)
    _write_files(job, run)
    layers = _layers(firmware, run, inputs, options) if job.layers else None
    blocks = text_report(firmware, run, job.model.name)
    blocks += time_report(run) if job.explain_time else []
    text = render(blocks, color=wants_color(None))
    by_hand = None
    if run.backend == "renode":
        by_hand = kept_for_renode(run)
        text += f"by hand  {by_hand}\n"
    code, json = _exit_code(prediction, run), run_json(firmware, run)
    if layers is not None:
        text += layers_text(layers)
        json["layers"] = layers_json(layers)
        code = code or (PredictorError.exit_code if layers.words else EXIT_FITS)
    seconds = time.perf_counter() - start
    return Outcome(job, code, seconds, text, json, by_hand=by_hand)


def _inputs(job: Job, firmware: ModelFirmware) -> tuple[Array, ...]:
    from predictor.proof import model_run

    if job.input_path is not None:
        return model_run.load_inputs(job.input_path)
    return model_run.random_inputs(firmware.prediction.deployed.graph, job.seed)


def _options(job: Job, firmware: ModelFirmware) -> RunOptions:
    from predictor.emulation.backends import UNICORN, backend_of
    from predictor.proof import model_run

    is_in_process = backend_of(job.backend, firmware.prediction.board) == UNICORN
    # An arena that RAM cannot hold is tried in what RAM has.
    arena_bytes = job.arena_bytes
    if arena_bytes is None and not firmware.prediction.sram.fits:
        arena_bytes = model_run.ALL_FREE_RAM
    return model_run.RunOptions(
        backend=job.backend,
        arena_bytes=arena_bytes,
        max_instructions=job.max_instructions,
        timeout_s=job.timeout_s,
        profile=job.profile is not None,
        traces_calls=job.trace is not None and is_in_process,
        counts_waits=job.explain_time,
        arenas=firmware.arenas,
    )


def _run(
    firmware: ModelFirmware,
    inputs: tuple[Array, ...],
    options: RunOptions,
    progress: Callable[[str], None],
) -> ModelRun:
    from predictor.firmware.build import build
    from predictor.proof.model_run import run_model

    image, prediction = build(firmware.target, progress=progress), firmware.prediction
    return run_model(
        firmware.content, prediction.arena, image, prediction.board, inputs, options, progress
    )


def _layers(
    firmware: ModelFirmware, run: ModelRun, inputs: tuple[Array, ...], options: RunOptions
) -> LayerCheck:
    from predictor.proof.layer_check import LayerCheck, check_layers

    if run.failure is not None:
        return LayerCheck(0, reason="the firmware failed")
    prediction = firmware.prediction
    return check_layers(
        firmware.content, prediction.arena, run.image, prediction.board, inputs, options
    )


def _exit_code(prediction: Prediction, run: ModelRun) -> int:
    if prediction.fits:
        return EXIT_FITS if run.passed else PredictorError.exit_code
    return EXIT_DOES_NOT_FIT if run.is_out_of_memory else PredictorError.exit_code


def _write_files(job: Job, run: ModelRun) -> None:
    from predictor.proof.trace import chrome_trace, profile_table
    from predictor.report.json_report import dumps

    if job.robot is not None:
        from predictor.cli.renode_files import write_suite

        write_suite(job.robot, run)
    if job.trace is not None:
        write_file(job.trace, dumps(chrome_trace(run, job.model.name)) + "\n")
    if job.profile is not None and run.result.profile is not None:
        write_file(job.profile, profile_table(run.result.profile))
