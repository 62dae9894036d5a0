"""A memory plan as a picture describes it: rectangles over time and address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from predictor.escapes import printable
from predictor.memory.arena_report import PlannedBuffer
from predictor.model.device.reader import read_options
from predictor.model.device.stream import StreamOptions
from predictor.model.device.stream_stage import STREAM
from predictor.prediction import Prediction
from predictor.records import dataclass

MOST_SHOWN = 2_000
"""Layers and buffers of a page at most: no browser shows many more, and nobody looks at them."""
TIMES = "\N{MULTIPLICATION SIGN}"
"""What stands between the dimensions of a shape."""


@dataclass(frozen=True, slots=True)
class Block:
    """One rectangle: bytes ``offset`` to ``offset + size_bytes`` in steps ``first_use`` to
    ``last_use``. ``kind`` is "tensor", "io" (input or output of the model) or "scratch"."""

    kind: str
    name: str
    label: str
    details: str
    offset: int
    size_bytes: int
    first_use: int
    last_use: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of a model's non-persistent memory.

    Steps are those of ``PlannedBuffer``: 0 is the start of the model, step k the k-th operator
    that runs. ``height_bytes`` is the plan's peak; ``lower_bound_bytes`` the largest sum of
    buffers alive at one step, reached at ``peak_step``. Of ``buffer_count`` buffers the largest
    have blocks.
    """

    title: str
    blocks: tuple[Block, ...]
    buffer_count: int
    step_count: int
    height_bytes: int
    lower_bound_bytes: int
    peak_step: int
    peak_words: str

    @property
    def top_bytes(self) -> int:
        """Where a picture has to end, at least 1."""
        return max(self.height_bytes, self.lower_bound_bytes, 1)

    @property
    def shown_words(self) -> str:
        """Which buffers the picture shows, empty where all."""
        if self.buffer_count <= MOST_SHOWN:
            return ""
        return f"the picture shows the {MOST_SHOWN:,} largest of {self.buffer_count:,} buffers"

    @property
    def is_below_bound(self) -> bool:
        """Whether buffers that are alive together share addresses."""
        return self.height_bytes < self.lower_bound_bytes

    def is_at_peak(self, block: Block) -> bool:
        return block.first_use <= self.peak_step <= block.last_use


def has_offline_plan(prediction: Prediction) -> bool:
    """Whether the file brings offsets of its own."""
    return any(buffer.is_offline_planned for buffer in prediction.arena.buffers)


def plan_of(prediction: Prediction) -> Plan:
    """The plan of a model: that of TFLM's greedy planner, or the one that the file brings."""
    arena = prediction.arena
    shown = arena.buffers
    if len(shown) > MOST_SHOWN:
        shown = tuple(sorted(shown, key=lambda buffer: -buffer.size_bytes)[:MOST_SHOWN])
    last = max((buffer.last_use for buffer in arena.buffers), default=0)
    return Plan(
        title="Offline plan" if has_offline_plan(prediction) else "Plan of TFLM's greedy planner",
        blocks=tuple(block for buffer in shown for block in _blocks(prediction, buffer)),
        buffer_count=len(arena.buffers),
        step_count=max(last, *arena.steps, 0) + 1,
        height_bytes=arena.nonpersistent_bytes,
        lower_bound_bytes=arena.lower_bound_bytes,
        peak_step=arena.peak_step,
        peak_words=prediction.peak_words,
    )


def _blocks(prediction: Prediction, buffer: PlannedBuffer) -> Iterator[Block]:
    """A buffer; that of a group in rows as its line buffers and its layers' scratch buffer."""
    whole = _block(prediction, buffer)
    group = None if buffer.tensor is not None else _group_at(prediction, buffer.first_use)
    if group is None:
        yield whole
        return
    offset, count = whole.offset, len(group.stages)
    for index, size in group.lines:
        stage = group.stages[index]
        layer = stage.options.code
        held = "sums of channels" if stage.is_summed else f"{stage.slots} of {stage.rows} rows"
        words = f"line buffer of layer {index} of {count} in rows ({layer}): {held}, {size:,} bytes"
        label = f"rows of {layer}"
        details = f"{words}; {whole.details}"
        yield replace(whole, label=label, details=details, offset=offset, size_bytes=size)
        offset += size
    rest = whole.offset + whole.size_bytes - offset
    if rest:
        details = f"scratch buffer of {count} layers in rows; {whole.details}"
        yield replace(whole, details=details, offset=offset, size_bytes=rest)


def _group_at(prediction: Prediction, step: int) -> StreamOptions | None:
    """The group in rows that runs at a step, if one does."""
    position = prediction.arena.steps.get(step)
    if position is None:
        return None
    op = prediction.graph.subgraphs[position[0]].operators[position[1]]
    if not op.is_custom or not op.name.startswith(STREAM):
        return None
    options = read_options(op.name, op.custom_options)
    return options if isinstance(options, StreamOptions) else None


def _block(prediction: Prediction, buffer: PlannedBuffer) -> Block:
    graph, tensor = prediction.graph, buffer.tensor
    end = buffer.offset + buffer.size_bytes - 1
    details = [f"address {buffer.offset:,} to {end:,}"]
    if buffer.is_offline_planned:
        details[0] += " (offline plan)"
    kind, label = "scratch", "scratch"
    if tensor is not None:
        subgraph = graph.subgraphs[buffer.subgraph_index]
        is_io = tensor.index in subgraph.inputs or tensor.index in subgraph.outputs
        kind = "io" if is_io and subgraph.index == 0 else "tensor"
        shapes = prediction.arena.prepared.state.shapes
        shape = shapes.get((buffer.subgraph_index, tensor.index), tensor.shape)
        label = TIMES.join(map(str, shape)) or "scalar"
        details.insert(0, f"{label} {tensor.type.name.lower()}")
    details += _life(prediction, buffer)
    return Block(
        kind=kind,
        name=printable(buffer.name) or "(unnamed tensor)",
        label=label,
        details="; ".join(details),
        offset=buffer.offset,
        size_bytes=buffer.size_bytes,
        first_use=buffer.first_use,
        last_use=buffer.last_use,
    )


def _life(prediction: Prediction, buffer: PlannedBuffer) -> list[str]:
    first, last = buffer.first_use, buffer.last_use
    start, end = _step_words(prediction, first), _step_words(prediction, last)
    if first == last:
        return [f"lives at step {first}, {start}"]
    return [f"lives from step {first}, {start}, to step {last}, {end}"]


def _step_words(prediction: Prediction, step: int) -> str:
    position = prediction.arena.steps.get(step)
    if position is None:
        return "the start of the model" if step == 0 else "a call"
    subgraph, index = position
    label = printable(prediction.graph.subgraphs[subgraph].operators[index].label)
    where = f" of subgraph {subgraph}" if subgraph else ""
    return f"operator {index}{where} ({label})"
