"""Which operators of a model can become one that computes them in rows, and its options."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from predictor.errors import RefusedError
from predictor.model.device.layers import options_of
from predictor.model.device.options import (
    PREPARED_BITS,
    AddOptions,
    PadOptions,
    WeightedOptions,
)
from predictor.model.device.stream import StreamOptions
from predictor.model.device.stream_runs import with_slots
from predictor.model.device.stream_stage import (
    GROUP_INPUT,
    MOST_ROWS,
    MOST_STAGES,
    TYPES,
    LayerOptions,
    Stage,
    WindowOptions,
    bits_of,
    is_global,
    output_rows,
    reads_rows,
    summed,
)
from predictor.model.graph import Operator, Subgraph
from predictor.records import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring operators of the main subgraph, and how many rows each computes at once."""

    first: int
    steps: tuple[int, ...]

    @property
    def operators(self) -> range:
        return range(self.first, self.first + len(self.steps))


@dataclass(frozen=True, slots=True)
class StreamLayer:
    """A layer that a group may have: its options, activations that it reads, constants."""

    operator: Operator
    options: LayerOptions
    inputs: tuple[int, ...]
    constants: tuple[int, ...]
    rows: tuple[int, int] | None
    """Rows of its output and bytes of each; None: those of its inputs."""


@dataclass(frozen=True, slots=True)
class MadeGroup:
    """The operator in the place of a group: its options and its tensors."""

    options: StreamOptions
    inputs: tuple[int, ...]
    output: int


def stream_layer(subgraph: Subgraph, op: Operator) -> StreamLayer | None:
    """The layer of an operator, None where it can be in no group."""
    try:
        options = options_of(subgraph, op)
    except RefusedError:
        return None
    if not isinstance(options, LayerOptions):
        return None
    rows = None
    activations, constants = op.inputs[:1], op.inputs[1:]
    if isinstance(options, AddOptions):
        activations, constants = op.inputs, ()
    elif isinstance(options, WindowOptions):
        rows = output_rows(options)
        if rows is None or rows[0] > MOST_ROWS:
            return None
        if isinstance(options, PadOptions):
            constants = ()  # they are in its options
    constants = tuple(index for index in constants if index >= 0)
    if isinstance(options, WeightedOptions):
        if options.operator == "FULLY_CONNECTED" or options.channel_multiplier < 1:
            return None
    elif constants:
        return None
    is_constant = [subgraph.tensors[index].is_constant for index in (*activations, *constants)]
    if any(is_constant[: len(activations)]) or not all(is_constant[len(activations) :]):
        return None
    return StreamLayer(op, options, activations, constants, rows)


def stream_layers(subgraph: Subgraph) -> list[StreamLayer | None]:
    """Those of all operators, in their order."""
    return [stream_layer(subgraph, op) for op in subgraph.operators]


def made_group(
    subgraph: Subgraph,
    layers: Sequence[StreamLayer | None],
    group: Group,
    prepared: Collection[int] = (),
) -> MadeGroup | None:
    """The operator in the place of a group; None where it cannot be one.

    Args:
        layers: of all operators of the subgraph.
        prepared: operators whose filters are prepared.
    """
    chosen = [layers[index] for index in group.operators]
    found = [item for item in chosen if item is not None]
    if not 2 <= len(found) == len(chosen) <= MOST_STAGES:
        return None
    source = _source(found)
    types = _types(found)
    if source is None or types is None or not _is_closed(subgraph, group, found):
        return None
    rows = _rows_of_input(found)
    if rows is None:
        return None
    position: dict[int, int] = {source: GROUP_INPUT}
    shapes = {GROUP_INPUT: rows}
    inputs = [source]
    stages: list[Stage] = []
    for layer, step in zip(found, group.steps, strict=True):
        stage = _stage(layer, [position[index] for index in layer.inputs], shapes, len(inputs))
        if stage is None:
            return None
        if layer.operator.index in prepared and isinstance(stage.options, WeightedOptions):
            stage = replace(stage, options=replace(stage.options, weight_bits=PREPARED_BITS))
        inputs += layer.constants
        position[layer.operator.outputs[0]] = len(stages)
        shapes[len(stages)] = stage.rows, stage.row_bytes
        stages.append(replace(stage, step=min(step, stage.rows)))
    if is_global(stages[-1].options):
        stages[-1] = summed(stages[-1])
    if sum(stage.rows for stage in stages) > MOST_ROWS:
        return None
    options = StreamOptions(types, *rows, with_slots(stages, rows[0]))
    return MadeGroup(options, tuple(inputs), found[-1].operator.outputs[0])


def _source(layers: Sequence[StreamLayer]) -> int | None:
    """The one tensor from outside that a group reads; None where there are more."""
    made = {layer.operator.outputs[0] for layer in layers}
    outside = {index for layer in layers for index in layer.inputs if index not in made}
    return outside.pop() if len(outside) == 1 else None


def _types(layers: Sequence[StreamLayer]) -> tuple[int, int] | None:
    """Bits of activations and weights, None where they are not the same everywhere."""
    inputs = {bits_of(layer.options) for layer in layers}
    weights = {
        layer.options.weight_bits for layer in layers if isinstance(layer.options, WeightedOptions)
    }
    if len(inputs) != 1 or len(weights) > 1:
        return None
    bits = inputs.pop()
    found = bits, weights.pop() if weights else bits
    return found if found in TYPES else None


def _is_closed(subgraph: Subgraph, group: Group, layers: Sequence[StreamLayer]) -> bool:
    """Whether nobody outside reads or writes what a group keeps to itself."""
    inner = {layer.operator.outputs[0] for layer in layers[:-1]}
    return inner.isdisjoint((*subgraph.inputs, *subgraph.outputs)) and all(
        op.index in group.operators or inner.isdisjoint(op.inputs) for op in subgraph.operators
    )


def _rows_of_input(layers: Sequence[StreamLayer]) -> tuple[int, int] | None:
    """Rows and bytes of a row of a group's input, as its first layer with a window says."""
    options = layers[0].options
    if not isinstance(options, WindowOptions):
        return None
    _, height, width, channels = options.input_dims
    return (height, width * channels * bits_of(options) // 8) if height <= MOST_ROWS else None


def _stage(
    layer: StreamLayer, sources: list[int], shapes: dict[int, tuple[int, int]], position: int
) -> Stage | None:
    """A layer as a stage whose constants begin at a position among the operator's inputs."""
    rows = layer.rows or shapes[sources[0]]
    if any(shapes[source] != shapes[sources[0]] for source in sources):
        return None
    filter = position if layer.constants else 0
    bias = position + 1 if len(layer.constants) > 1 else 0
    stage = Stage(layer.options, tuple(sources), filter, bias, *rows)
    is_pad = isinstance(layer.options, PadOptions)
    return stage if is_pad or reads_rows(stage, shapes[sources[0]][0]) else None
