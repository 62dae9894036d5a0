"""The same model in less arena: compacted, planned, steered, and predicted before and after."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from predictor.boards.board import Board, find_board
from predictor.cost.instructions import work
from predictor.cost.op_count import layers
from predictor.errors import UnprovedError
from predictor.memory.arena import arena
from predictor.memory.arena_report import PlannedBuffer
from predictor.memory.deployment import smallest
from predictor.memory.preparation import prepare
from predictor.memory.prepared import PreparedGraph
from predictor.memory.revision import Revision
from predictor.model.device.stream import StreamOptions
from predictor.model.graph import Graph
from predictor.model.tflite_reader import ModelSource, load_bytes, read_graph
from predictor.model.tflite_writer import write_model
from predictor.optimization.compaction.compaction import Compaction, compact
from predictor.optimization.compaction.spans import channels_of
from predictor.optimization.offline_plan import without_plan
from predictor.optimization.optimizer import (
    NOTHING_LOWER,
    Optimized,
    OptimizeOptions,
    optimize,
    unchanged,
)
from predictor.optimization.prepared_filters import Plan, prepared_operators
from predictor.optimization.row_groups import operators_in_rows, with_groups
from predictor.optimization.verification.verifier import prove_equal
from predictor.options import OptionKeywords, make_options
from predictor.prediction import (
    DEFAULT_BOARD,
    Prediction,
    fitting_boards,
    predict_graph,
)
from predictor.records import dataclass
from predictor.views import JsonObject, view

if TYPE_CHECKING:
    from typing_extensions import Unpack

_MOST_CHANNELS = 1 << 16
"""Channels of a tensor for which compaction is tried, at most."""
_PART_FOR_COMPACTION, _PART_FOR_PROOF = 0.3, 0.7
"""Of the time, after which compaction, and the proof of what it did, have to end."""
_PREDICTIONS_AFTERWARDS = 3
"""What writing the result and predicting it takes, in predictions of the model."""


@dataclass(frozen=True)
class Optimization:
    """A model before and after, on a board.

    ``content`` is the new file, ``compaction`` what went from the network, None where nothing did.
    """

    optimized: Optimized
    before: Prediction
    after: Prediction
    content: bytes
    compaction: Compaction | None = None

    @property
    def planned_bytes(self) -> tuple[int, int, int]:
        """Height of the tensors' plan: before, after, and the best without overlap."""
        found = self.optimized
        return (
            tensor_bytes(found.before.buffers),
            tensor_bytes(found.after.buffers),
            found.without_overlap_bytes,
        )

    @property
    def extra_instructions_percent(self) -> float:
        return percent(self.optimized, self.optimized.extra_instructions)

    @property
    def plan_flash_bytes(self) -> int:
        """What the plan costs in flash: the growth of the file."""
        return len(self.content) - self.before.graph.flatbuffer_bytes

    @property
    def prepared_filters(self) -> tuple[int, ...]:
        """Operators of the main subgraph whose filter lies widened in flash."""
        return prepared_operators(self.optimized.graph)

    @property
    def groups(self) -> tuple[tuple[int, StreamOptions], ...]:
        """Operators of the main subgraph that run layers in rows, by index."""
        return operators_in_rows(self.optimized.graph)

    @property
    def newly_fitting(self) -> tuple[Board, ...]:
        """Shipped boards that the model fits only now."""
        before = {board.name for board in fitting_boards(self.before)}
        return tuple(board for board in fitting_boards(self.after) if board.name not in before)

    def to_json(self) -> JsonObject:
        """The result as JSON values; sizes are bytes."""
        made: JsonObject = view("optimization_json")(self)
        return made


def percent(found: Optimized, instructions: float) -> float:
    """Instructions in percent of those of the model before."""
    return 100 * instructions / found.instructions if found.instructions else 0.0


def tensor_bytes(buffers: Sequence[PlannedBuffer]) -> int:
    """The end of the highest tensor of a plan, scratch buffers left out."""
    return max((b.offset + b.size_bytes for b in buffers if b.tensor is not None), default=0)


def optimize_model(
    model: ModelSource,
    board: str | os.PathLike[str] | Board = DEFAULT_BOARD,
    settings: OptimizeOptions | None = None,
    **options: Unpack[OptionKeywords],
) -> Optimization:
    """Finds the best memory plan of a model, given as a path or as the bytes of a file.

    ``options`` are the fields of :class:`~predictor.prediction.Options`.

    Raises:
        ModelError: the file is not a model; RefusedError: TFLM refuses it.
        BoardError, RevisionError, UsageError: unknown board, revision, kernels or option, or this
            TFLM takes no offline plan.
    """
    start = time.monotonic()
    chosen, made = find_board(board), make_options(**options)
    path = None
    if not isinstance(model, bytes | bytearray | memoryview):
        path = os.fspath(model)
        model = load_bytes(path)
    content = bytes(model)
    graph = read_graph(content)
    settings = settings or OptimizeOptions(instructions=count_instructions)
    digest = hashlib.sha256(content).hexdigest()
    before = predict_graph(graph, chosen, made, path, content)
    made = before.options
    limit_s = settings.time_limit_s
    afterwards_s = _PREDICTIONS_AFTERWARDS * (time.monotonic() - start)
    deadline = start + limit_s - min(limit_s / 2, afterwards_s)

    def plan(form: Graph) -> Optimized:
        left = replace(settings, time_limit_s=max(0.0, deadline - time.monotonic()))
        return optimize(form, before.revision, left, digest, before.arena)

    def planned(form: Graph) -> Optimized:
        return planned_smallest(form, before.revision, settings, plan, deadline)

    smaller = _compacted(graph, before, settings, start) if settings.compact else None
    found = planned(graph if smaller is None else smaller.graph)
    if smaller is not None and not found.is_interrupted and _may_need_more(smaller.graph, before):
        plain = planned(graph)
        if plain.after.required_bytes < found.after.required_bytes:
            found, smaller = plain, None
        else:
            found = replace(found, is_interrupted=plain.is_interrupted)
    if found.after.required_bytes > before.arena.required_bytes:
        # Its own plan may be lower than any that is safe, or another form of it take more.
        kept = unchanged(graph, before.arena, settings, NOTHING_LOWER)
        found, smaller = replace(kept, is_interrupted=found.is_interrupted), None
    if found.graph is graph:
        return Optimization(found, before, before, content)
    new = write_model(found.graph)
    after = predict_graph(read_graph(new), chosen, made, content=new)
    return Optimization(found, before, after, new, smaller)


def planned_smallest(
    graph: Graph, revision: Revision, settings: OptimizeOptions, plan: Plan, deadline: float
) -> Optimized:
    """The best plan of a model in the form that needs the least arena: with the project's own
    kernels mostly a device model, groups of whose layers may run in rows.

    Args:
        plan: finds that of a form as it is.
        deadline: of ``time.monotonic()``, after which no more groups are looked at.

    Raises:
        RefusedError: TFLM refuses the model.
        UsageError: this TFLM takes no offline plan.
    """
    form = smallest(graph, revision)
    found = plan(form)
    if form is graph:
        return found
    return with_groups(graph, found, revision, settings, plan, deadline)


def _compacted(
    graph: Graph, before: Prediction, settings: OptimizeOptions, start: float
) -> Compaction | None:
    """What compaction gains, None for nothing. What cannot be proved anew is not taken.

    Compaction keeps to the kernels' own cost: channels stay where the layer is cheaper with them.

    Args:
        start: of the optimisation, by ``time.monotonic()``.
    """

    def cost_of(form: Graph) -> float:
        return sum(settings.instructions(prepare(form, before.revision)))

    if not _is_sound(before):
        return None
    limit_s = settings.time_limit_s
    until = start + _PART_FOR_COMPACTION * limit_s
    found = compact(without_plan(graph), cost_of, settings.input_range, until)
    if not found.is_smaller:
        return None
    try:
        prove_equal(graph, found.graph, settings.input_range, start + _PART_FOR_PROOF * limit_s)
    except UnprovedError:
        return None
    return found


def _is_sound(prediction: Prediction) -> bool:
    """Whether a model does what it says: it runs, each tensor is written once, constants are whole,
    channels are few."""
    if prediction.invoke_errors or not prediction.arena.exact:
        return False
    main = prediction.graph.main
    written = Counter([*main.inputs, *(index for op in main.operators for index in op.outputs)])
    return all(
        channels_of(tensor) <= _MOST_CHANNELS
        and (tensor.data is None or tensor.data.nbytes >= tensor.stored_bytes)
        and written[tensor.index] <= (not tensor.is_constant)
        for tensor in main.tensors
    )


def _may_need_more(graph: Graph, before: Prediction) -> bool:
    """Whether a compacted model needs more arena than the whole one where both are not planned."""
    first, second = (arena(without_plan(item), before.revision) for item in (before.graph, graph))
    return second.required_bytes > first.required_bytes


def count_instructions(prepared: PreparedGraph) -> list[float]:
    """Instructions of each operator on the core that it was prepared for, in their order."""
    return [item.instructions for item in work(prepared, layers(prepared))]
