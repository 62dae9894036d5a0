"""``predict optimize --prove``: the firmware and the models that the proof runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from predictor.boards.board import Board
from predictor.cli.emulate_job import predict_firmware, predict_own_operators
from predictor.errors import FlashOverflowError, MissingDependencyError, RefusedError
from predictor.memory.arena import arena
from predictor.memory.revision import load_revision
from predictor.model.tflite_reader import ModelSource, read_graph
from predictor.optimize.overlap import OverlapLevel, problem_of
from predictor.prediction import Prediction

if TYPE_CHECKING:
    from rich.console import RenderableType

    from predictor.proof.plan_proof import Firmware, PlanProof, ProofSize

Progress = Callable[[str], None]
FirmwarePredictor = Callable[
    [ModelSource, str | Board, Path | None, str | None], tuple[Prediction, Iterable[str] | None]
]
_CMSIS_NN = "cmsis_nn"


@dataclass(frozen=True, slots=True)
class ProofTask:
    """What is proved: two files, on a board, with the kernels that the plan is for."""

    original: bytes
    planned: bytes
    board: Board
    kernels: str
    tflm_dir: Path | None


def prove(task: ProofTask, progress: Progress, size: ProofSize | None = None) -> PlanProof:
    """Runs all checks that can be run here.

    Raises:
        EmulationError: a model does not run to its end in emulation.
    """
    from predictor.proof.plan_proof import (
        Check,
        PlanProof,
        ProofSize,
        proof_inputs,
        prove_against_host,
        prove_on_host,
    )

    size = size or ProofSize()
    graph = read_graph(task.original)
    try:
        emulated = _emulated(task, progress, size)
    except (MissingDependencyError, RefusedError) as error:
        emulated = PlanProof((Check(f"emulated {task.board.name}", 0, None, str(error)),))
    if _suits_reference_kernels(task.planned):
        samples = proof_inputs(graph, size.host)
        host = prove_on_host(task.original, task.planned, samples, progress)
    else:
        # Its reference kernels read and write in another order than those that the plan is for.
        samples = proof_inputs(graph, len(emulated.outputs))
        host = prove_against_host(task.original, samples, emulated.outputs, progress)
    return replace(emulated, checks=(host, *emulated.checks))


def _suits_reference_kernels(planned: bytes) -> bool:
    """Whether the plan's overlaps are those that TFLM's reference kernels allow, too."""
    graph = read_graph(planned)
    try:
        report = arena(graph, load_revision(kernels="reference"))
    except RefusedError:
        return False
    problem = problem_of(report, OverlapLevel.DIAGONAL)
    return not problem.faults([buffer.offset for buffer in report.buffers])


def _emulated(task: ProofTask, progress: Progress, size: ProofSize) -> PlanProof:
    try:
        return _in_emulation(task, predict_firmware, progress, size)
    except FlashOverflowError:  # where TFLM was built larger than predicted
        return _in_emulation(task, predict_own_operators, progress, size)


def _in_emulation(
    task: ProofTask, predict_for: FirmwarePredictor, progress: Progress, size: ProofSize
) -> PlanProof:
    from predictor.proof.plan_proof import (
        EmulatedModels,
        FirmwareModel,
        proof_inputs,
        prove_in_emulation,
    )
    from predictor.proof.shadow_run import without_plan

    if task.kernels == _CMSIS_NN and task.tflm_dir is None:
        raise MissingDependencyError(
            "the packaged TFLM has no CMSIS-NN: name a TFLM that was built with it (--tflm-dir)"
        )

    def predicted(content: bytes) -> tuple[Prediction, Iterable[str] | None]:
        return predict_for(content, task.board, task.tflm_dir, task.kernels)

    planned, operators = predicted(task.planned)
    original, others = predicted(task.original)
    unplanned, _ = predicted(without_plan(task.planned))
    if operators is not None:  # one firmware runs them all
        operators = {*operators, *(others or ())}
    firmware = _firmware(task, task.board, planned, operators, progress)
    roomy = firmware
    if not (original.sram.fits and unplanned.sram.fits):
        roomy = _roomy(task, planned, operators, progress)
    models = EmulatedModels(
        *(
            FirmwareModel(item.deployed.content or b"", item.arena)
            for item in (original, planned, unplanned)
        )
    )
    samples = proof_inputs(planned.deployed.graph, size.emulated)
    return prove_in_emulation(models, firmware, roomy, samples, size.watched, progress)


def _firmware(
    task: ProofTask,
    board: Board,
    planned: Prediction,
    operators: Iterable[str] | None,
    progress: Progress,
) -> Firmware:
    from predictor.emulation.platform.board_platform import board_platform
    from predictor.firmware.build import build
    from predictor.proof.plan_proof import Firmware

    image = build(
        board,
        operators=operators,
        tflm_dir=task.tflm_dir,
        kernels=task.kernels,
        registers_builtin=planned.registers_builtin,
        progress=progress,
    )
    return Firmware(image, board_platform(task.board))


def _roomy(
    task: ProofTask, planned: Prediction, operators: Iterable[str] | None, progress: Progress
) -> Firmware:
    """The same firmware on the same board with more RAM, for the models without a plan."""
    from predictor.emulation.platform.roomy_board import with_more_ram

    board, platform = with_more_ram(task.board)
    return replace(_firmware(task, board, planned, operators, progress), platform=platform)


def report(proof: PlanProof) -> RenderableType:
    """The checks as a table, and what shadow memory reports."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1), title="proof", title_justify="left")
    table.title_style = "bold"
    for heading in ("", "check", "inputs", ""):
        table.add_column(heading, justify="right" if heading == "inputs" else "left")
    marks = {True: ("ok", "green"), False: ("FAILED", "bold red"), None: ("-", "dim")}
    for check in proof.checks:
        mark, style = marks[check.passed]
        table.add_row(Text(mark, style=style), check.name, f"{check.inputs:,}", check.finding)
    stale = [Text(f"  {read}", style="red") for read in proof.stale[:10]]
    return Group(table, *stale)
