"""What a model's firmware is made of, and what is predicted for it.

A :class:`FirmwareTarget` is all that decides which code runs: the board, the TFLM with its
revision, the kernel set, the operators and how they are registered. Whatever builds firmware takes
one, and predictions for firmware come from it, so that what runs is what was predicted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from predictor.boards.board import Board, find_board
from predictor.errors import FlashOverflowError, LinkedTflmError, RefusedError, UsageError
from predictor.firmware.arenas import ArenaPlace, arena_places, program_board
from predictor.firmware.kernel_library import kernel_library
from predictor.firmware.op_resolver import (
    LinkableOperator,
    defined_in,
    linkable_operators,
    with_mn_kernels,
)
from predictor.firmware.packaged_tflm import PackagedTflm
from predictor.firmware.static_library import defined_symbols
from predictor.firmware.tflm_library import Tflm, TflmLibrary
from predictor.firmware.toolchain import ProgressCallback, Toolchain
from predictor.kernel_sets import BEST, kernel_set_name, left_operators
from predictor.memory.revision import (
    DEFAULT_REVISION,
    best_of,
    kernel_sets,
    load_revision,
    revision_names,
)
from predictor.model.tflite_reader import ModelSource
from predictor.operators.kernel_set import KernelSet
from predictor.optimization.plan_warnings import plan_warnings
from predictor.prediction import Prediction, predict
from predictor.records import dataclass

_ALL, _USED = "all", "used"
T = TypeVar("T")


@dataclass(frozen=True)
class FirmwareTarget:
    """A board's firmware: the TFLM, the kernels and the operators that it links.

    Attributes:
        tflm: the packaged TFLM, or one that the user built.
        kernels: kernel set that operators run with. None: the project's own for device models,
            else that of the TFLM's libraries.
        operators: labels of the operators to link, None for all that the TFLM has.
        registers_builtin: with the kernel set "mn", whether builtin operators are registered
            with it; otherwise only the custom operators of device models are.
        memory: memory for the arena, None for RAM that the program leaves.
        persistent_memory: that of an arena of its own for what is persistent, None for one arena.
    """

    board: Board
    tflm: Tflm
    kernels: str | None = None
    operators: frozenset[str] | None = None
    registers_builtin: bool = False
    memory: str | None = None
    persistent_memory: str | None = None

    @property
    def program_board(self) -> Board:
        """The board as the program sees it, without the memories of arenas."""
        return program_board(self.board, (self.memory, self.persistent_memory))

    @property
    def kernel_set(self) -> KernelSet:
        """The kernels that operators run with; of "best", which hangs on the model, all that any
        model may run with."""
        kernels = self.kernels or self.tflm.kernels
        if kernels == BEST:
            kernels = best_of(self.tflm.revision)
        return load_revision(self.tflm.revision, kernels, self.board.core.model).kernel_set

    @property
    def title(self) -> str:
        return f"{self.tflm.title} with {self.kernel_set.name} kernels"

    def require_library(self) -> None:
        """Checks that the TFLM has a library for the board.

        Raises:
            UsageError: it has none with the kernels; says what to do.
        """
        self.tflm.require(self.board, self._linked_kernels.name)

    @property
    def _linked_kernels(self) -> KernelSet:
        """Those of TFLM's library, beside which the project's own stand."""
        return self.kernel_set.on or self.kernel_set

    def library(self, toolchain: Toolchain, progress: ProgressCallback) -> TflmLibrary:
        """The library to link.

        Raises:
            UsageError: this TFLM has none with these kernels for the board.
            MissingDependencyError, EmulationError: a library could not be built.
        """
        linked = self._linked_kernels.name
        library = self.tflm.library(toolchain, self.board, linked, progress)
        if self.kernel_set.on is None:
            return library
        own = kernel_library(toolchain, self.board.core.model, progress)
        return replace(library, kernels=self.kernel_set.name, mn_kernels=own)

    def available_operators(self, library: TflmLibrary) -> tuple[LinkableOperator, ...]:
        """What can be linked of the library, with the project's own kernels where it has them."""
        symbols = defined_symbols(library.archive)
        operators = defined_in(linkable_operators(library.root), symbols)
        if library.mn_kernels is None:
            return operators
        return with_mn_kernels(operators, self.registers_builtin, self.kernel_set.left)

    def linking_all(self, model: ModelSource) -> ModelFirmware:
        """The firmware that serves any model: it links all operators.

        Raises:
            LinkedTflmError: this TFLM refuses the model, or fails when it runs.
        """
        return self._of(self.predict(model, _ALL), None)

    def linking_used(self, model: ModelSource) -> ModelFirmware:
        """The firmware with the model's operators alone.

        Raises:
            LinkedTflmError: this TFLM refuses the model, or fails when it runs.
        """
        prediction = self.predict(model, _USED)
        return self._of(prediction, frozenset(prediction.deployed.graph.operator_labels))

    def _of(self, prediction: Prediction, operators: frozenset[str] | None) -> ModelFirmware:
        linked = replace(
            self,
            kernels=prediction.revision.kernels,
            operators=operators,
            registers_builtin=prediction.registers_builtin,
        )
        return ModelFirmware(linked, prediction)

    def run(self, model: ModelSource, use: Callable[[ModelFirmware], T]) -> T:
        """What ``use`` makes of the model's firmware.

        It links all operators, or the model's alone where the board's flash is too small for all.
        An arena that no memory holds beside the program has one of its own.

        Raises:
            LinkedTflmError: this TFLM refuses the model, or fails when it runs.
        """
        firmware = self.linking_all(model)
        sram = firmware.prediction.sram
        if self.memory is None and self.persistent_memory is None and sram.is_spread:
            return replace(self, memory=sram.arena_region).run(model, use)
        if firmware.prediction.flash_margin_bytes >= 0:
            with suppress(FlashOverflowError):  # where TFLM was built larger than predicted
                return use(firmware)
        return use(self.linking_used(model))

    def predict(self, model: ModelSource, resolver: str) -> Prediction:
        """What the model takes in this firmware, linked with "all" or the "used" operators.

        Raises:
            LinkedTflmError: this TFLM refuses the model, or fails when it runs.
        """
        try:
            prediction = predict(
                model,
                self.board,
                tflm=self.tflm.revision,
                kernels=self.kernels,
                library_kernels=self.tflm.kernels,
                resolver=resolver,
                memory=self.memory,
                persistent_memory=self.persistent_memory,
            )
        except RefusedError as error:
            raise LinkedTflmError(str(error), self.title, self._remedy(model)) from error
        if prediction.invoke_errors:
            reason = f"TFLM fails when this model runs: {prediction.invoke_errors[0]}"
            raise LinkedTflmError(reason, self.title, self._remedy(model))
        return prediction

    def _remedy(self, model: ModelSource) -> str:
        """What runs the model, if anything that is known does."""
        if self.tflm.revision == DEFAULT_REVISION:
            return "--tflm-dir or predict tflm use names another TFLM"
        with suppress(RefusedError):
            if not predict(model, self.board, tflm=DEFAULT_REVISION).invoke_errors:
                return (
                    f"TFLM {DEFAULT_REVISION} runs it: build one and name it with --tflm-dir, or "
                    "once for all commands with predict tflm use (docs/howto/own-tflm.md)"
                )
        return f"TFLM {DEFAULT_REVISION} does not run it, either"


@dataclass(frozen=True)
class ModelFirmware:
    """The firmware of a model, and what is predicted of the model in it."""

    target: FirmwareTarget
    prediction: Prediction

    @property
    def content(self) -> bytes:
        """The file that the firmware gets: the model's, or its device model's."""
        return self.prediction.deployed.content or b""

    @property
    def arenas(self) -> tuple[ArenaPlace, ...]:
        """Where the arenas lie; none where nothing is said of it: one, at the end of RAM."""
        target = self.target
        if target.memory is None and target.persistent_memory is None:
            return ()
        return arena_places(target.board, self.prediction.sram.needs)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the firmware may take something else, or compute something else, than predicted."""
        prediction = self.prediction
        plan = plan_warnings(prediction.graph, prediction.arena)
        return (*self.target.tflm.warnings, *plan)

    def also(self, model: ModelSource) -> Prediction:
        """What another model takes with the same TFLM, kernels and way of linking.

        Raises:
            LinkedTflmError: this TFLM refuses the model, or fails when it runs.
        """
        return self.target.predict(model, self.prediction.options.resolver)

    def serving(self, others: Iterable[Prediction]) -> FirmwareTarget:
        """The firmware for other models, too."""
        if self.target.operators is None:
            return self.target
        labels = (other.deployed.graph.operator_labels for other in others)
        return replace(self.target, operators=self.target.operators.union(*labels))


def firmware_target(
    board: str | os.PathLike[str] | Board,
    tflm: Tflm | None = None,
    kernels: str | None = None,
    memory: str | None = None,
    persistent_memory: str | None = None,
) -> FirmwareTarget:
    """A board's firmware with all operators.

    Args:
        tflm: None for the packaged one.
        kernels: None for those of the TFLM's libraries, and the project's own for device models.
        memory: memory for the arena, None for RAM that the program leaves.
        persistent_memory: that of an arena of its own for what is persistent, None for one arena.

    Raises:
        BoardError: unknown board.
        UsageError: unknown kernel set, or the TFLM has no library with it for the board.
    """
    chosen, linked = find_board(board), tflm or PackagedTflm()
    if kernels is not None:
        kernels = _known(chosen, linked, kernel_set_name(kernels))
    target = FirmwareTarget(
        chosen, linked, kernels, memory=memory, persistent_memory=persistent_memory
    )
    target.require_library()
    return target


def _known(board: Board, tflm: Tflm, kernels: str) -> str:
    """A kernel set by its name, where any TFLM has it.

    Raises:
        UsageError: none has, or this TFLM lacks it and has no library with it.
    """
    known = {name for revision in revision_names() for name in kernel_sets(revision)}
    if kernels != BEST and left_operators(kernels)[0] not in known:
        names = ", ".join(sorted(known))
        raise UsageError(f"unknown kernel set {kernels!r}; known: {names}")
    if kernels != BEST and left_operators(kernels)[0] not in kernel_sets(tflm.revision):
        tflm.require(board, kernels)
    return kernels
