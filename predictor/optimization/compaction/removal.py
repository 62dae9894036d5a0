"""Which channels can go, and the graph without them.

A channel goes from a tensor only together with the channels it is tied to: operators that work
channel by channel lose it on all sides. Ties end at convolutions and fully connected layers. They
drop an output with its filter, and an input where it is constant (its products join the biases),
where no weight reads it, or where it equals another input (its weights join the other's).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from predictor.model.graph import Graph, Operator, Quantization, Subgraph, Tensor, TensorType
from predictor.model.requantization import type_range
from predictor.optimization.compaction.intervals import (
    SIZES,
    Spans,
    is_along_channels,
    leaves_channels,
)
from predictor.optimization.compaction.spans import Ints, channels_of
from predictor.optimization.compaction.surgery import Draft, integers, with_channels, with_values
from predictor.optimization.compaction.weighted import WeightedLayer, weighted_layer
from predictor.records import dataclass

Flags = npt.NDArray[np.bool_]
Removal = dict[int, Flags]
"""For each tensor the channels that go; tensors not named lose none."""

_INT32 = 2**31 - 1
_CHANNELWISE = frozenset(
    {
        "ABS",
        "ADD",
        "AVERAGE_POOL_2D",
        "DEQUANTIZE",
        "ELU",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LOGISTIC",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MEAN",
        "MINIMUM",
        "MUL",
        "PAD",
        "QUANTIZE",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "SUB",
        "TANH",
    }
)
"""Operators whose output channel depends on the same channel of inputs that have as many."""


@dataclass(frozen=True, eq=False, slots=True)
class Tie:
    """Channels of two tensors that go together: place by place."""

    first: int
    first_channels: Ints
    second: int
    second_channels: Ints


def ties(subgraph: Subgraph, op: Operator) -> list[Tie] | None:
    """What an operator without free channels demands; None where it keeps all of its tensors'."""
    output = subgraph.tensors[op.outputs[0]] if op.outputs else None
    if op.is_custom or output is None or len(op.outputs) != 1:
        return None
    channels = channels_of(output)
    every = np.arange(channels)
    if op.name == "DEPTHWISE_CONV_2D":
        layer = weighted_layer(subgraph, op)
        if layer is None:
            return None
        source = every // layer.options.channel_multiplier
        return [Tie(op.inputs[0], source, output.index, every)]
    if op.name == "RESHAPE":
        return _reshape_ties(subgraph, op, output)
    if op.name == "CONCATENATION":
        return _concatenation_ties(subgraph, op, output)
    if op.name not in _CHANNELWISE or not leaves_channels(subgraph, op):
        return None
    found = []
    for position, index in enumerate(op.inputs):
        operand = subgraph.tensors[index]
        if position == SIZES.get(op.name) or (operand.is_constant and operand.elements == 1):
            continue
        if channels_of(operand) != channels:
            return None
        found.append(Tie(index, every, output.index, every))
    return found


def _reshape_ties(subgraph: Subgraph, op: Operator, output: Tensor) -> list[Tie] | None:
    """One that keeps the last axis, or joins whole axes to it."""
    source = subgraph.tensors[op.inputs[0]]
    before, after = channels_of(source), channels_of(output)
    is_written = len(op.inputs) < 2 or subgraph.tensors[op.inputs[1]].is_constant
    if not before or after % before or not is_written:
        return None
    every = np.arange(after)
    return [Tie(source.index, every % before, output.index, every)]


def _concatenation_ties(subgraph: Subgraph, op: Operator, output: Tensor) -> list[Tie] | None:
    found, start = [], 0
    is_joined = is_along_channels(subgraph, op)
    for index in op.inputs:
        own = np.arange(channels_of(subgraph.tensors[index]))
        found.append(Tie(index, own, output.index, own + start))
        start += len(own) if is_joined else 0
        if not is_joined and len(own) != channels_of(output):
            return None
    return found if not is_joined or start == channels_of(output) else None


Readable = Callable[[WeightedLayer], Flags]
"""Which channels of a layer's input it can do without."""


def removable(subgraph: Subgraph, start: Removal, can_drop: Readable) -> Removal:
    """The largest removal within ``start`` that all operators allow.

    Each operator takes back what it cannot do without, until none does.
    """
    flags = {index: flags.copy() for index, flags in start.items()}
    whole = {*subgraph.inputs, *subgraph.outputs}
    bonds: list[Tie] = []
    for op in subgraph.operators:
        layer = weighted_layer(subgraph, op)
        if layer is not None and not layer.is_depthwise:
            _restrict(flags, op.inputs[0], can_drop(layer))
            continue
        found = ties(subgraph, op)
        if found is None:
            whole.update((*op.inputs, *op.outputs))
        else:
            bonds += found
    for tie in bonds:  # constants go as their operator's other tensors do
        for index in (tie.first, tie.second):
            tensor = subgraph.tensors[index]
            if tensor.is_constant:
                flags.setdefault(index, np.ones(channels_of(tensor), bool))
    flags = {index: found for index, found in flags.items() if index not in whole}
    _settle(flags, bonds)
    return {index: found for index, found in flags.items() if found.any()}


def _restrict(flags: Removal, index: int, allowed: Flags) -> None:
    if index in flags:
        flags[index] &= allowed


def _settle(flags: Removal, bonds: list[Tie]) -> None:
    is_changing = True
    while is_changing:
        is_changing = False
        for tie in [*bonds, *reversed(bonds)]:
            first, second = flags.get(tie.first), flags.get(tie.second)
            if first is None and second is None:
                continue
            ends = [
                None if side is None else side[channels]
                for side, channels in ((first, tie.first_channels), (second, tie.second_channels))
            ]
            both = np.zeros(len(tie.first_channels), bool)
            if ends[0] is not None and ends[1] is not None:
                both = ends[0] & ends[1]
            for side, channels in ((first, tie.first_channels), (second, tie.second_channels)):
                if side is not None and (side[channels] & ~both).any():
                    side[channels[~both]] = False
                    is_changing = True


def every_channel(subgraph: Subgraph) -> Removal:
    """All channels of all computed tensors of few bits."""
    return {
        index: np.ones(channels_of(subgraph.tensors[index]), bool)
        for op in subgraph.operators
        for index in op.outputs
        if subgraph.tensors[index].shape
    }


def can_fold(layer: WeightedLayer, spans: Spans) -> Flags:
    """Input channels that are constant, seen or not seen in the padding alike, or not read."""
    unread = ~layer.weights.any(axis=(0, 1))
    x = spans.get(layer.op.inputs[0])
    if x is not None:
        inputs = layer.input_span(x)
        in_padding = layer.weights[:, layer.sees_padding].any(axis=(0, 1))
        unread |= inputs.is_constant & ((inputs.low == 0) | ~in_padding)
    return np.asarray(unread.reshape(-1, layer.input_channels).all(axis=0))


def bias_scales(input: Tensor, filter: Quantization | None) -> Quantization | None:
    """The scales that kernels demand of a bias: the input's times the filter's, in 32 bits."""
    if input.quantization is None or filter is None:
        return None
    scale = np.float32(input.quantization.scale)
    products = tuple(float(scale * np.float32(own)) for own in filter.scales)
    return Quantization(products, (0,) * len(products))


@dataclass(frozen=True, eq=False)
class Cut:
    """A graph without some channels. ``leaders``: for each tensor, the channel that stands for each
    of its channels, where equal ones are merged."""

    subgraph: Subgraph
    removal: Removal
    spans: Spans
    leaders: Mapping[int, Ints]

    def kept(self, index: int) -> Ints:
        channels = channels_of(self.subgraph.tensors[index])
        flags = self.removal.get(index)
        return np.arange(channels) if flags is None else np.flatnonzero(~flags)

    def graph(self, graph: Graph) -> Graph | None:
        """The new graph; None where a bias or a weight would leave its type."""
        draft = Draft(graph)
        for index, flags in self.removal.items():
            tensor = draft.tensors[index]
            kept = np.flatnonzero(~flags)
            if tensor.is_constant:
                values = integers(tensor)[..., kept]
                draft.tensors[index] = with_values(tensor, values)
            else:
                shape = (*tensor.shape[:-1], len(kept))
                draft.tensors[index] = replace(tensor, shape=shape)
        for place, op in enumerate(self.subgraph.operators):
            changed = self._operator(draft, op)
            if changed is None:
                return None
            draft.operators[place] = changed
        return draft.graph()

    def _operator(self, draft: Draft, op: Operator) -> Operator | None:
        touched = [index for index in (*op.inputs, *op.outputs) if index in self.removal]
        if not touched:
            return op
        layer = weighted_layer(self.subgraph, op)
        if layer is not None:
            return self._weighted(draft, op, layer)
        if op.name == "RESHAPE":
            shape = np.array(draft.tensors[op.outputs[0]].shape, np.int64)
            if "new_shape" in op.options:
                op = replace(op, options={**op.options, "new_shape": tuple(map(int, shape))})
            if len(op.inputs) > 1:
                like = draft.tensors[op.inputs[1]]
                op = draft.with_inputs(op, {1: draft.constant(like.name, shape, like)})
        return op

    def _weighted(self, draft: Draft, op: Operator, layer: WeightedLayer) -> Operator | None:
        filter = draft.tensors[op.inputs[1]]
        outputs = self.kept(op.outputs[0])
        weights, bias = layer.weights, layer.bias
        if not layer.is_depthwise:
            weights, bias = self._folded(layer)
        weights, bias = weights[outputs], bias[outputs]
        bits = 4 if filter.type == TensorType.INT4 else 8
        lowest, highest = type_range(bits)
        limits = (lowest + 1, highest) if self.leaders else (lowest, highest)
        if weights.size and (weights.min() < limits[0] or weights.max() > limits[1]):
            return None
        if np.abs(bias).max(initial=0) > _INT32:
            return None
        scaling = with_channels(filter.quantization, outputs)
        changes = {
            1: draft.constant(
                filter.name,
                self._stored(layer, weights, filter),
                replace(filter, quantization=scaling),
            )
        }
        has_bias = len(op.inputs) > 2 and op.inputs[2] >= 0
        if has_bias:
            like = draft.tensors[op.inputs[2]]
            like = replace(like, quantization=with_channels(like.quantization, outputs))
            changes[2] = draft.constant(like.name, bias, like)
        elif bias.any():
            scales = bias_scales(draft.tensors[op.inputs[0]], scaling)
            like = replace(filter, type=TensorType.INT32, quantization=scales)
            op = replace(op, inputs=(*op.inputs[:2], -1))
            changes[2] = draft.constant(f"{filter.name}/bias", bias, like)
        return draft.with_inputs(op, changes)

    def _folded(self, layer: WeightedLayer) -> tuple[Ints, Ints]:
        """Weights of the inputs that stay, with those of merged ones; biases with constants."""
        source = layer.op.inputs[0]
        kept = self.kept(source)
        if len(kept) == layer.input_channels:
            return layer.weights, layer.bias
        gone = np.setdiff1d(np.arange(layer.input_channels), kept)
        weights, bias = layer.weights.copy(), layer.bias.copy()
        leader = self.leaders.get(source)
        for channel in gone:
            columns = layer.columns(channel)
            if leader is not None:
                weights[:, :, layer.columns(leader[channel])] += weights[:, :, columns]
                continue
            if not weights[:, :, columns].any():
                continue
            value = self.spans[source].low[channel] + layer.options.input_offset
            bias += weights[:, :, columns].sum(axis=(1, 2)) * value
        return weights[:, :, np.sort(layer.columns(kept))], bias

    def _stored(self, layer: WeightedLayer, weights: Ints, filter: Tensor) -> Ints:
        """The weights in the layout of the file."""
        if layer.is_depthwise:
            return weights[:, :, 0].T.reshape(*filter.shape[:-1], len(weights))
        if layer.options.operator == "CONV_2D":
            return weights.reshape(len(weights), *filter.shape[1:-1], weights.shape[2])
        return weights.reshape(*filter.shape[:-2], len(weights), weights.shape[2])
