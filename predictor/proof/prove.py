"""Proves a planned model: which firmware and which models the checks run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from predictor.emulation.platform.board_platform import board_platform
from predictor.emulation.platform.roomy_board import with_more_ram
from predictor.errors import MissingDependencyError, RefusedError
from predictor.firmware.build import build
from predictor.firmware.target import FirmwareTarget, ModelFirmware
from predictor.memory.arena import arena
from predictor.memory.revision import load_revision
from predictor.model.tflite_reader import read_graph
from predictor.optimization.overlap import plan_faults
from predictor.prediction import Prediction
from predictor.proof.plan_proof import (
    Check,
    EmulatedModels,
    Firmware,
    FirmwareModel,
    PlanProof,
    ProofSize,
    proof_inputs,
    prove_against_host,
    prove_in_emulation,
    prove_on_host,
)
from predictor.proof.shadow_run import without_plan
from predictor.records import dataclass

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ProofTask:
    """What is proved: two files, in firmware with the TFLM and kernels that the plan is for."""

    original: bytes
    planned: bytes
    target: FirmwareTarget


def prove(task: ProofTask, progress: Progress, size: ProofSize | None = None) -> PlanProof:
    """Runs all checks that can be run here.

    Raises:
        LinkedTflmError: the TFLM that the firmware links refuses the model, or fails when it runs.
        EmulationError: a model does not run to its end in emulation.
    """
    size = size or ProofSize()
    graph = read_graph(task.original)
    try:
        emulated = task.target.run(
            task.planned, lambda firmware: _emulated(task, firmware, progress, size)
        )
    except MissingDependencyError as error:
        name = f"emulated {task.target.board.name}"
        emulated = PlanProof((Check(name, 0, None, str(error)),))
    if _suits_reference_kernels(task.planned):
        samples = proof_inputs(graph, size.host)
        host = prove_on_host(task.original, task.planned, samples, progress)
    else:
        # Its reference kernels read and write in another order than those that the plan is for.
        samples = proof_inputs(graph, len(emulated.outputs))
        host = prove_against_host(task.original, samples, emulated.outputs, progress)
    return replace(emulated, checks=(host, *emulated.checks))


def prove_rewriting(original: bytes, rewritten: bytes, count: int, progress: Progress) -> Check:
    """That other operators compute what those of the model do, which its own TFLM does not take.

    Args:
        count: inputs on which both run on this host.
    """
    samples = proof_inputs(read_graph(original), count)
    found = prove_on_host(original, rewritten, samples, progress)
    return replace(found, name="what was rewritten, on this host")


def _suits_reference_kernels(planned: bytes) -> bool:
    """Whether the plan's overlaps are those that TFLM's reference kernels allow, too."""
    graph = read_graph(planned)
    try:
        report = arena(graph, load_revision(kernels="reference"))
    except RefusedError:
        return False
    return not plan_faults(report)


def _emulated(
    task: ProofTask, planned: ModelFirmware, progress: Progress, size: ProofSize
) -> PlanProof:
    """The checks in emulation; one firmware runs all three models."""
    original = planned.also(task.original)
    unplanned = planned.also(without_plan(task.planned))
    target = planned.serving([original])
    firmware = Firmware(build(target, progress=progress), board_platform(target.board))
    roomy = firmware
    if not (original.sram.fits and unplanned.sram.fits):
        # For the models without a plan: the same firmware on the same board with more RAM.
        board, platform = with_more_ram(target.board)
        roomy = Firmware(build(replace(target, board=board), progress=progress), platform)
    models = EmulatedModels(*map(_model, (original, planned.prediction, unplanned)))
    samples = proof_inputs(planned.prediction.deployed.graph, size.emulated)
    return prove_in_emulation(models, firmware, roomy, samples, size.watched, progress)


def _model(prediction: Prediction) -> FirmwareModel:
    return FirmwareModel(prediction.deployed.content or b"", prediction.arena)
