"""The result of a prediction, and the functions that make it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from predictor.boards.board import Board, find_board, shipped_boards
from predictor.cores.core import Core
from predictor.cost.energy import DutyCycle, EnergyEstimate, duty_cycle, energy
from predictor.cost.inference import Inference, LoopRound, inference_latency, loop_rounds
from predictor.cost.instructions import Work, total
from predictor.cost.kernel_choice import best_kernels
from predictor.cost.latency import LatencyEstimate, Timing, features, timing
from predictor.cost.on_core import OnCore
from predictor.cost.op_count import Layer, OpCountReport
from predictor.cost.op_proxy import OpProxy, op_proxy
from predictor.errors import UsageError
from predictor.kernel_sets import BEST, MN
from predictor.memory.arena import arena
from predictor.memory.arena_report import ArenaReport, PlannedBuffer
from predictor.memory.deployment import Deployment, deploy
from predictor.memory.flash import FlashReport, flash
from predictor.memory.revision import Revision
from predictor.memory.sram import SramReport, arena_needs, place
from predictor.model.graph import Graph
from predictor.model.tflite_reader import ModelSource, load_bytes, read_graph
from predictor.operators.mn.tables import has_custom
from predictor.options import OptionKeywords, Options, make_options
from predictor.records import dataclass
from predictor.semantics.execution import Execution
from predictor.views import JsonObject, view

if TYPE_CHECKING:
    from typing_extensions import Unpack

DEFAULT_BOARD = "f746zg"
_MOST_PREPARED = 5_000
"""Parts of a model that is prepared for boards that nobody has named."""
_MOST_EACH = 1_000_000
"""Parts of a model on all its boards together."""


@dataclass(frozen=True)
class Prediction:
    """What a model takes on a board under TFLM, and whether it fits.

    ``path`` and ``content`` (the bytes of the file) are None for graphs that were not read from
    one. ``deployed`` is what TFLM gets, to which arena and flash belong: the model itself, or its
    device model. ``on_cores`` is what is known of the model on cores, this one and others, for all
    its predictions together.
    """

    graph: Graph
    board: Board
    options: Options
    on_core: OnCore
    sram: SramReport
    deployed: Deployment
    path: str | None = None
    content: bytes | None = field(default=None, repr=False)
    counted: tuple[Work, ...] | None = field(default=None, repr=False)
    on_cores: dict[Core, OnCore] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def sha256(self) -> str | None:
        """Digest of the file, None for graphs that were not read from one."""
        if self.content is None:
            return None
        import hashlib

        return hashlib.sha256(self.content).hexdigest()

    @property
    def revision(self) -> Revision:
        return self.arena.prepared.revision

    @property
    def registers_builtin(self) -> bool:
        """Whether TFLM gets its builtin operators registered with the project's own kernels."""
        return self.revision.kernel_set.registers_builtin(self.deployed.graph)

    @property
    def arena(self) -> ArenaReport:
        return self.on_core.arena

    @property
    def flash(self) -> FlashReport:
        return self.on_core.flash

    @property
    def layers(self) -> tuple[Layer, ...]:
        return self.on_core.layers

    @property
    def execution(self) -> Execution:
        """How often an inference runs each subgraph."""
        return self.on_core.execution

    @property
    def ops(self) -> OpCountReport:
        return self.on_core.ops

    @property
    def works(self) -> tuple[Work, ...]:
        """Instructions of one run of each of ``layers``: those counted in emulation, else the
        model's."""
        return self.on_core.works if self.counted is None else self.counted

    @cached_property
    def inference(self) -> Inference:
        """What one inference runs, and what only the first one does."""
        costs = self.timing.costs
        if self.counted is None:
            return self.on_core.inference(costs)
        rounds = self.on_core.rounds
        return Inference(self.execution, self.layers, self.counted, rounds, (), costs)

    @cached_property
    def work(self) -> Work:
        """Instructions of one inference, with the dearest branches."""
        return total(self.inference.dearest_works)

    @cached_property
    def timing(self) -> Timing:
        """What the board's core takes for the counts of ``works``."""
        return timing(self.board, self.revision, self.options.calibration)

    @cached_property
    def latency(self) -> LatencyEstimate:
        return inference_latency(self.inference, self.timing, self.board)

    @cached_property
    def loop_rounds(self) -> tuple[LoopRound, ...]:
        """What each round adds of loops whose number of rounds is not known."""
        return loop_rounds(self.inference, self.timing, self.board)

    @cached_property
    def layer_latencies_s(self) -> tuple[float, ...]:
        """Latency of one run of each of ``layers`` in seconds."""
        costs, clock_hz = self.timing.costs, self.board.core.clock_hz
        alike = {id(work): work for work in self.works}
        known = {key: costs.cycles(features([work])) / clock_hz for key, work in alike.items()}
        return tuple([known[id(work)] for work in self.works])

    @cached_property
    def energy(self) -> EnergyEstimate | None:
        """None where the board's file holds no power."""
        return energy(self.latency, self.inference.dearest_works, self.timing, self.board)

    @cached_property
    def op_proxy(self) -> OpProxy | None:
        """Latency by operation count, for comparison; None where the board has no rate."""
        return op_proxy(self.board, self.ops.total_ops)

    @cached_property
    def duty(self) -> DutyCycle | None:
        """Average power at ``options.fps``; None without a rate, without a known power, or where
        the time of an inference has no bound."""
        if self.options.fps is None or self.energy is None or self.latency.is_open:
            return None
        return duty_cycle(self.energy, self.latency, self.board, self.options.fps)

    @property
    def flash_total_bytes(self) -> int:
        """Model, code and the flash kept for the application."""
        return self.flash.total_bytes + self.options.reserve_flash_bytes

    @property
    def flash_margin_bytes(self) -> int:
        return self.board.flash_bytes - self.flash_total_bytes

    @property
    def fits(self) -> bool:
        """Whether RAM and flash of the board suffice, and TFLM's sizes hold the arena."""
        return self.arena.is_representable and self.sram.fits and self.flash_margin_bytes >= 0

    @property
    def invoke_errors(self) -> list[str]:
        """Operators that prepare but return an error each time they run."""
        return self.arena.invoke_errors

    @cached_property
    def peak_buffers(self) -> tuple[PlannedBuffer, ...]:
        """The buffers alive at the step of the largest sum, the largest first."""
        step = self.arena.peak_step
        alive = [b for b in self.arena.buffers if b.first_use <= step <= b.last_use]
        return tuple(sorted(alive, key=lambda b: (-b.size_bytes, b.offset)))

    @cached_property
    def peak_operator(self) -> tuple[int, int] | None:
        """(subgraph, index) of the operator at that step, None at the start of the model."""
        return self.arena.steps.get(self.arena.peak_step)

    @property
    def peak_words(self) -> str:
        """Where the peak is, as reports say it."""
        if self.peak_operator is None:
            return "the start of the model"
        subgraph, index = self.peak_operator
        return f"operator {index}, {self.graph.subgraphs[subgraph].operators[index].label}"

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know to trust the figures, the gravest first."""
        found: tuple[str, ...] = view("notes")(self)
        return found

    @cached_property
    def details(self) -> tuple[str, ...]:
        """What the figures rest on, beyond what each reader must know."""
        found: tuple[str, ...] = view("details")(self)
        return found

    @cached_property
    def remedies(self) -> tuple[str, ...]:
        """What would make the model fit; empty where it fits."""
        found: tuple[str, ...] = view("remedies")(self)
        return found

    def to_json(self) -> JsonObject:
        """The documented JSON form (``predictor/report/prediction.schema.json``)."""
        made: JsonObject = view("prediction_json")(self)
        return made

    def _repr_html_(self) -> str:
        made: str = view("prediction_html")(self)
        return made


def predict(
    model: ModelSource,
    board: str | os.PathLike[str] | Board = DEFAULT_BOARD,
    **options: Unpack[OptionKeywords],
) -> Prediction:
    """Predicts a model, given as a path or as the bytes of a ``.tflite`` file, on a board.

    ``options`` are the fields of :class:`Options`.

    Raises:
        ModelError: the file is not a model; RefusedError: TFLM refuses it.
        BoardError, RevisionError, UsageError: unknown board, revision, kernels or option.
    """
    chosen = find_board(board)
    path = None
    if not isinstance(model, bytes | bytearray | memoryview):
        path = os.fspath(model)
        model = load_bytes(path)
    content = bytes(model)
    return predict_graph(
        read_graph(content),
        chosen,
        make_options(**options),
        path=path,
        content=content,
    )


def predict_graph(
    graph: Graph,
    board: str | os.PathLike[str] | Board = DEFAULT_BOARD,
    options: Options | None = None,
    path: str | None = None,
    content: bytes | None = None,
) -> Prediction:
    """Predicts a graph that is in memory already: the fast path for callers with many graphs."""
    chosen, options = find_board(board), options or Options()
    if options.kernels is None and has_custom(graph):
        options = replace(options, kernels=MN)
    if options.kernels == BEST:
        kernels = best_kernels(graph, options.tflm, chosen.core.model)
        options = replace(options, kernels=kernels)
    revision = options.revision(chosen.core.model)
    deployed = deploy(graph, content, revision)
    known = _on_core(deployed, revision, options)
    return Prediction(
        graph=graph,
        board=chosen,
        options=options,
        on_core=known,
        sram=_sram(known, chosen, options),
        deployed=deployed,
        path=path,
        content=content,
        on_cores={chosen.core.model: known},
    )


def _on_core(
    deployed: Deployment, revision: Revision, options: Options, like: OnCore | None = None
) -> OnCore:
    """The model on a core, without preparing it anew where it is known on one that is alike."""
    code = flash(deployed.graph, revision, options.resolver)
    if like is not None:
        return OnCore(like.arena.under(revision), code, like)
    return OnCore(arena(deployed.graph, revision, options.resource_variables), code)


def _sram(known: OnCore, board: Board, options: Options) -> SramReport:
    needs = arena_needs(known.arena, options.memory, options.persistent_memory)
    return place(board, needs, known.flash.static_ram_bytes, options.reserve_ram_bytes)


def on_board(prediction: Prediction, board: Board) -> Prediction:
    """The same model and options on another board, but for memories that were named of the first.

    The model is prepared again only for the first core that may run other kernels than those
    before.

    Raises:
        RefusedError: TFLM refuses the model there.
    """
    known, core, options = prediction.on_cores, board.core.model, prediction.options
    if board != prediction.board:
        options = replace(options, memory=None, persistent_memory=None)
    if core not in known:
        like = next((known[it] for it in known if it.extensions == core.extensions), None)
        known[core] = _on_core(prediction.deployed, options.revision(core), options, like)
    return replace(
        prediction,
        board=board,
        options=options,
        on_core=known[core],
        sram=_sram(known[core], board, options),
        counted=None,
    )


def on_boards(prediction: Prediction, boards: Sequence[Board]) -> tuple[Prediction, ...]:
    """The same model on each of the boards.

    Raises:
        RefusedError: TFLM refuses the model on one of them.
        UsageError: the model is too large to be predicted on so many.
    """
    parts = prediction.graph.part_count
    if len(boards) > 1 and parts * len(boards) > _MOST_EACH:
        raise UsageError(
            f"a model of {parts:,} tensors, operators, inputs and outputs takes too long on "
            f"{len(boards)} boards: name one, or a few"
        )
    return tuple(on_board(prediction, board) for board in boards)


def on_shipped_boards(prediction: Prediction) -> tuple[Prediction, ...]:
    """The same model on each board that ships with the package, smallest RAM first.

    Raises:
        RefusedError: TFLM refuses the model on one of them.
        UsageError: the model is too large to be predicted on all.
    """
    return on_boards(prediction, shipped_boards())


def fitting_boards(prediction: Prediction) -> tuple[Board, ...]:
    """The shipped boards that the model fits, smallest RAM first.

    Boards that are too small whatever their kernels ask for cost no preparation. A model of very
    many operators is not prepared again for boards with other kernels than those it is known with.
    """
    model_bytes, least_bytes = prediction.flash.model_bytes, prediction.arena.least_bytes
    known = {core.extensions for core in prediction.on_cores}
    is_large = prediction.graph.part_count > _MOST_PREPARED
    return tuple(
        board
        for board in shipped_boards()
        if model_bytes <= board.flash_bytes
        and least_bytes <= board.sram_bytes
        and (not is_large or board.core.model.extensions in known)
        and on_board(prediction, board).fits
    )
