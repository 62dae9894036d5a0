"""Measures one profile: the code of a core with a kernel set."""

from __future__ import annotations

import tempfile
from pathlib import Path

from predictor.boards.board import Board
from predictor.memory.revision import DEFAULT_REVISION
from tools.code_size import table
from tools.code_size.linkers import Linker, ProgramLinker, RunnerLinker

PACKAGED_REVISION = "2020.07"
CHECKS = 20
"""Random sets of operators that are linked to find the table's error."""


def measure(board: Board, kernels: str, tflm: Path | None, checks: int = CHECKS) -> None:
    """Measures the core of a board with a kernel set and writes it into the revision's file.

    Args:
        tflm: folder of a library built as release, for the minimal program; None for the packaged
            TFLM in the project's runner.

    Raises:
        UsageError: the folder holds no library of this kernel set.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        linker: Linker
        if tflm is None:
            linker, revision = RunnerLinker(board, kernels, folder), PACKAGED_REVISION
        else:
            linker = ProgramLinker(board.core.model, kernels, folder, tflm)
            revision = DEFAULT_REVISION
        profile = f"{board.core.name}/{kernels}"
        found = table.measure(linker, checks, profile)
    table.write(revision, {profile: found})
