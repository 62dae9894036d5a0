"""One model in firmware on an emulated board, beside its prediction."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from predictor.boards.board import Board, find_board
from predictor.emulation.backends import emulated_board
from predictor.firmware.build import build
from predictor.firmware.registered_tflm import linkable_tflm
from predictor.firmware.target import ModelFirmware, firmware_target
from predictor.model.tflite_reader import ModelSource
from predictor.prediction import DEFAULT_BOARD
from predictor.proof.host_check import Array
from predictor.proof.model_run import ModelRun, RunOptions, run_model


def emulate(
    model: ModelSource,
    board: str | os.PathLike[str] | Board = DEFAULT_BOARD,
    *,
    kernels: str | None = None,
    tflm: str | None = None,
    tflm_dir: str | os.PathLike[str] | None = None,
    inputs: Sequence[Array] = (),
    backend: str = "auto",
    progress: Callable[[str], None] = lambda text: None,
) -> ModelRun:
    """Runs a model in real TFLM firmware on an emulated board and compares with the prediction.

    Args:
        model: a ``.tflite`` file, as a path or as its bytes.
        kernels: kernel set of the firmware; None for that of the TFLM's library, and the project's
            own for device models.
        tflm: revision of the TFLM to link.
        tflm_dir: one that you built; None for that which ``predict tflm use`` registered, or,
            without one or with another revision, the packaged one of 2020.
        inputs: one array for each input of the model; none at all: random ones.
        backend: "auto", "unicorn", "qemu" or "renode".
        progress: called with a line before each long step.

    Returns:
        the run; its ``failure`` says why it did not end, ``passed`` whether arena and outputs are
        those that were predicted and that TFLM computes on this host.

    Raises:
        LinkedTflmError: the TFLM that is linked refuses the model, or fails when it runs.
        MissingDependencyError: compiler, emulator or TFLM is missing.
        FlashOverflowError: the board's flash cannot hold firmware and model.
        UsageError: inputs that the model does not take, or a wrong board, kernel set or TFLM.
    """
    folder = None if tflm_dir is None else Path(tflm_dir)
    emulated = emulated_board(backend, find_board(board))
    target = firmware_target(emulated, linkable_tflm(tflm, folder), kernels)

    def use(firmware: ModelFirmware) -> ModelRun:
        image = build(firmware.target, progress=progress)
        arena, options = firmware.prediction.arena, RunOptions(backend=backend)
        return run_model(firmware.content, arena, image, target.board, inputs, options, progress)

    return target.run(model, use)
