"""Several models on one board whose interpreters share an arena.

They are allocated one after the other and run in turn, as TFLM's ``MicroAllocator`` allows
(``MicroInterpreter``'s constructor that takes one): what persists adds up, the planned part is that
of the model that needs most.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from predictor.boards.board import Board, find_board
from predictor.errors import UsageError
from predictor.memory.arena import shared_arena
from predictor.memory.arena_report import SharedArena
from predictor.memory.flash import FlashReport, flash_of
from predictor.memory.sram import ARENA, ArenaNeed, SramReport, place
from predictor.model.tflite_reader import ModelSource
from predictor.operators.checks import INT32_MAX
from predictor.options import OptionKeywords, Options
from predictor.prediction import DEFAULT_BOARD, Prediction, predict
from predictor.records import dataclass

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True)
class Sharing:
    """Models that share an arena, in the order in which they are allocated.

    ``predictions`` are of each alone; ``flash`` and ``sram`` are of one program with all of them.
    """

    predictions: tuple[Prediction, ...]
    arena: SharedArena
    flash: FlashReport
    sram: SramReport

    @property
    def board(self) -> Board:
        return self.predictions[0].board

    @property
    def options(self) -> Options:
        return self.predictions[0].options

    @property
    def apart_bytes(self) -> int:
        """What arenas of their own would take together."""
        return sum(prediction.arena.required_bytes for prediction in self.predictions)

    @property
    def exact(self) -> bool:
        return all(prediction.arena.exact for prediction in self.predictions)

    @property
    def flash_total_bytes(self) -> int:
        """Models, code and the flash kept for the application."""
        return self.flash.total_bytes + self.options.reserve_flash_bytes

    @property
    def flash_margin_bytes(self) -> int:
        return self.board.flash_bytes - self.flash_total_bytes

    @property
    def fits(self) -> bool:
        """Whether RAM and flash of the board suffice, and TFLM's sizes hold the arena."""
        is_representable = self.arena.required_bytes <= INT32_MAX and all(
            prediction.arena.is_representable for prediction in self.predictions
        )
        return is_representable and self.sram.fits and self.flash_margin_bytes >= 0


def predict_sharing(
    models: Sequence[ModelSource],
    board: str | os.PathLike[str] | Board = DEFAULT_BOARD,
    **options: Unpack[OptionKeywords],
) -> Sharing:
    """Predicts models whose interpreters share one arena.

    Args:
        models: paths or contents, in the order in which they are allocated.
        options: fields of :class:`Options`.

    Raises:
        ModelError, RefusedError, BoardError, RevisionError: as :func:`predictor.prediction.predict`
            does for one of them.
        UsageError: no models, two arenas are asked for, the models need different kernels, or this
            TFLM gives each interpreter an arena of its own.
    """
    if not models:
        raise UsageError("no models share nothing; name two or more")
    if options.get("persistent_memory") is not None:
        raise UsageError("models share one arena: leave out --persistent-memory")
    chosen = find_board(board)
    found = tuple(predict(model, chosen, **options) for model in models)
    kernels = sorted({item.revision.kernels for item in found})
    if len(kernels) > 1:
        raise UsageError(
            f"the models need different kernels ({', '.join(kernels)}): name one with --kernels"
        )
    first = found[0]
    arena = shared_arena([item.arena.prepared for item in found])
    graphs = [item.deployed.graph for item in found]
    code = flash_of(graphs, first.revision, first.options.resolver)
    needs = (ArenaNeed(ARENA, arena.required_bytes, first.options.memory),)
    sram = place(chosen, needs, code.static_ram_bytes, first.options.reserve_ram_bytes)
    return Sharing(found, arena, code, sram)
