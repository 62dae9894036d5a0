"""Which TFLM library a firmware links, and with which kernels its operators run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from predictor.boards.board import Board
from predictor.cores.core import Core
from predictor.errors import UsageError
from predictor.firmware.kernel_library import kernel_library
from predictor.firmware.op_resolver import (
    LinkableOperator,
    linkable_operators,
    with_our_kernels,
)
from predictor.firmware.shipped import shipped_folder
from predictor.firmware.tflm_library import TflmLibrary, packaged_library, user_library
from predictor.firmware.toolchain import ProgressCallback, Toolchain
from predictor.memory.revision import OURS

KERNEL_SETS = ("reference", "cmsis_nn", OURS)


def library_kernels(board: Board, tflm_dir: str | os.PathLike[str] | None) -> str:
    """Kernel set of the library that :func:`build` would link for a board.

    Raises:
        UsageError: the folder holds no TFLM build.
    """
    if tflm_dir is None:
        return KERNEL_SETS[0]
    return user_library(Path(tflm_dir), board.core.name).kernels


def select_library(
    toolchain: Toolchain,
    core: Core,
    tflm_dir: str | os.PathLike[str] | None,
    kernels: str | None,
    progress: ProgressCallback,
) -> TflmLibrary:
    """The library to link: the user's, or the packaged one, with the kernel set asked for.

    Raises:
        UsageError: the kernel set is unknown, or the library was built with another one.
        MissingDependencyError, EmulationError: a library could not be built.
    """
    if kernels is not None and kernels not in KERNEL_SETS:
        raise UsageError(f"unknown kernel set {kernels!r}; known: {', '.join(KERNEL_SETS)}")
    if tflm_dir is not None:
        library = user_library(Path(tflm_dir), core.name)
    elif kernels == "cmsis_nn":
        raise UsageError(
            "the packaged TFLM has reference kernels only; build TFLM with "
            "OPTIMIZED_KERNEL_DIR=cmsis_nn and name its folder with --tflm"
        )
    else:
        library = packaged_library(toolchain, shipped_folder("firmware"), core, progress)
    wanted = "reference" if kernels == OURS else kernels
    if wanted is not None and library.kernels != wanted:
        raise UsageError(
            f"{library.archive} was built with {library.kernels} kernels, not with {wanted} ones"
        )
    if kernels != OURS:
        return library
    return replace(
        library,
        kernels=OURS,
        ours=kernel_library(toolchain, shipped_folder("firmware"), core, progress),
    )


def available_operators(
    library: TflmLibrary, registers_builtin: bool
) -> tuple[LinkableOperator, ...]:
    """What can be linked of a library, with the project's own kernels where it has them."""
    operators = linkable_operators(library.root)
    return operators if library.ours is None else with_our_kernels(operators, registers_builtin)
