"""``predict emulate``: models in real TFLM firmware on emulated boards."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from predictor.boards.board import Board, find_board
from predictor.cli.emulate_job import Job, Outcome, job_target, run_job
from predictor.cli.options import memory_options
from predictor.console.options import BYTES, POSITIVE, format_option, tflm_options
from predictor.console.output import emit, emit_text
from predictor.console.paths import OUTPUT_PATH, FileCommand
from predictor.emulation.backends import AUTO, BACKENDS, QEMU, UNICORN, backend_of
from predictor.errors import (
    EXIT_DOES_NOT_FIT,
    EXIT_FITS,
    MissingDependencyError,
    PredictorError,
    UsageError,
)
from predictor.files import write_file
from predictor.prediction import DEFAULT_BOARD
from predictor.report.check_result import CheckResult, Finding
from predictor.report.junit import junit_xml
from predictor.start import say


@click.command(
    cls=FileCommand, name="emulate", short_help="Run models in TFLM firmware on emulated boards."
)
@click.argument("models", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--board",
    "boards",
    multiple=True,
    default=(DEFAULT_BOARD,),
    show_default=True,
    help="Board name or file; may be given several times.",
)
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    default=AUTO,
    show_default=True,
    help="Emulator; auto is the in-process one, or QEMU for cores that only it has.",
)
@tflm_options
@memory_options
@click.option("--input", "input_path", type=click.Path(path_type=Path), help=".npy or .npz file.")
@click.option("--random", "seed", type=int, default=0, show_default=True, help="Seed of inputs.")
@click.option("--arena", "arena_bytes", type=BYTES, help="Arena size; default: as predicted.")
@click.option("--max-instructions", type=click.IntRange(min=1), help="Give up after so many.")
@click.option(
    "--timeout",
    "timeout_s",
    type=POSITIVE,
    help="Give up after so many seconds.",
)
@click.option(
    "--robot",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a suite for renode-test, with all that it takes, into this folder.",
)
@click.option("--layers", is_flag=True, help="Compare every operator's outputs with the host, too.")
@click.option(
    "--explain-time",
    is_flag=True,
    help="Tell where the cycles of each operator go, waits for the flash among them.",
)
@click.option("--monitor", is_flag=True, help="Leave Renode's monitor open on the machine.")
@click.option("--profile", type=OUTPUT_PATH, help="Write instructions per function as CSV.")
@click.option("--trace", type=OUTPUT_PATH, help="Write operators as Chrome/Perfetto trace events.")
@click.option("--junit", type=OUTPUT_PATH, help="Write JUnit XML.")
@click.option("--force", is_flag=True, help="Run even where the prediction says it does not fit.")
@format_option("text", "json")
def command(
    models: tuple[Path, ...],
    boards: tuple[str, ...],
    form: str,
    junit: Path | None,
    monitor: bool,
    tflm: str | None,
    tflm_dir: Path | None,
    **settings: Any,
) -> int:
    """Run MODELS under TFLM on emulated boards and hold the result against the prediction.

    Arena, outputs and instructions per operator; outputs are compared with TFLM's Python runtime
    to the bit where it is installed (pip install tflite-micro). Exit code 0 if all are equal, 3 if
    a model does not fit its board, 1 on a difference or a fault. With --force, 3 means that the
    emulated board ran out of memory as predicted, 1 that it did not.
    """
    from predictor.firmware.registered_tflm import linkable_tflm

    linked = linkable_tflm(tflm, tflm_dir)
    jobs = [
        Job(model=model, board=board, tflm=linked, **settings)
        for model in models
        for board in boards
    ]
    alone = [name for name in ("profile", "trace", "robot") if settings[name]]
    alone += ["monitor"] if monitor else []
    if settings["arena_bytes"] is not None and (
        settings["memory"] or settings["persistent_memory"]
    ):
        raise UsageError("--arena goes without --memory and --persistent-memory")
    if len(jobs) > 1 and alone:
        raise UsageError(f"--{alone[0]} takes one model on one board")
    if monitor:
        _check_monitor(settings["backend"])
    for board in boards:
        found = find_board(board)
        _check_backend(backend_of(settings["backend"], found), found, settings)
        for name in filter(None, (settings["memory"], settings["persistent_memory"])):
            found.memory(name)
    outcomes = _run_all(jobs)
    (emit_text if form == "text" else emit)(_report(outcomes, form), None)
    if junit is not None:
        write_file(junit, junit_xml([_check_result(outcome) for outcome in outcomes]))
    if monitor and outcomes[0].by_hand is not None:
        _open_monitor(outcomes[0].by_hand)
    codes = {outcome.exit_code for outcome in outcomes}
    if PredictorError.exit_code in codes:
        return PredictorError.exit_code
    return max(codes, default=EXIT_FITS)


def _check_backend(backend: str, board: Board, settings: dict[str, Any]) -> None:
    options = {"profile": "--profile", "layers": "--layers", "explain_time": "--explain-time"}
    in_process = [option for name, option in options.items() if settings[name]]
    if in_process and backend != UNICORN:
        raise UsageError(
            f"{in_process[0]} takes the in-process emulator, which {board.name} does not have"
            if settings["backend"] == AUTO
            else f"{in_process[0]} takes the in-process emulator; leave out --backend {backend}"
        )
    if settings["robot"] and backend == QEMU:
        raise UsageError("--robot writes a suite of Renode's: add --backend renode")


def _check_monitor(backend: str) -> None:
    if backend != "renode":
        raise UsageError("--monitor takes --backend renode")
    if shutil.which("renode") is None:
        raise MissingDependencyError("--monitor takes the command renode: see https://renode.io")


def _open_monitor(command_line: str) -> None:
    _say("the same machine in Renode: start runs it, quit leaves")
    subprocess.run(shlex.split(command_line), check=False)


def _run_all(jobs: Sequence[Job]) -> list[Outcome]:
    if len(jobs) == 1:
        return [run_job(jobs[0], _say)]
    from predictor.workers import run_in_workers

    prepare_images(jobs)
    outcomes: dict[Job, Outcome] = {}
    for outcome in run_in_workers(run_job, jobs):
        outcomes[outcome.job] = outcome
        say(f"[{len(outcomes)}/{len(jobs)}] {outcome.name}: {_verdict(outcome)}")
    return [outcomes[job] for job in jobs]


def prepare_images(jobs: Sequence[Job]) -> None:
    """Builds each firmware once before jobs share it."""
    from predictor.firmware.build import build

    different = {
        (job.board, job.tflm, job.kernels, job.memory, job.persistent_memory): job for job in jobs
    }
    for job in different.values():
        target = job_target(job)
        # Kernels beside TFLM's come in two firmwares: which one a model needs, its job finds.
        if not target.kernel_set.runs_device_models:
            build(target, progress=_say)


def _say(text: str) -> None:
    say(f"{text} ...")


def _verdict(outcome: Outcome) -> str:
    if outcome.problem is not None:
        return outcome.problem
    return "equal" if outcome.exit_code == EXIT_FITS else "DIFFERENT"


def _report(outcomes: Sequence[Outcome], form: str) -> str:
    if form == "json":
        from predictor.report.json_report import dumps

        rows = [
            outcome.json
            or {
                "model": {"path": str(outcome.job.model)},
                "board": outcome.job.board,
                "passed": False,
                "failure": outcome.problem,
                "exit_code": outcome.exit_code,
            }
            for outcome in outcomes
        ]
        return dumps(rows[0] if len(rows) == 1 else {"runs": rows}) + "\n"
    if len(outcomes) == 1:
        (outcome,) = outcomes
        return outcome.text or f"{outcome.name}: {outcome.problem}\n"
    lines = [f"{outcome.name}: {_verdict(outcome)}" for outcome in outcomes]
    passed = sum(outcome.exit_code == EXIT_FITS for outcome in outcomes)
    lines.append(f"{passed} of {len(outcomes)} runs are equal to the prediction and the host")
    return "\n".join(lines) + "\n"


def _check_result(outcome: Outcome) -> CheckResult:
    failures: tuple[Finding, ...] = ()
    error = None
    if outcome.exit_code == EXIT_DOES_NOT_FIT:
        failures = (Finding("does-not-fit", outcome.problem or "does not fit"),)
    elif outcome.problem is not None:
        error = outcome.problem
    elif outcome.exit_code != EXIT_FITS:
        error = "differs from the prediction or the host"
    return CheckResult(str(outcome.job.model), outcome.job.board, failures, error, outcome.seconds)
