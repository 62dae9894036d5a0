"""Layers with weights as sums over taps and input channels."""

from __future__ import annotations

from math import prod

import numpy as np
import numpy.typing as npt

from predictor.errors import RefusedError
from predictor.model.device.layers import options_of
from predictor.model.device.names import WEIGHTED
from predictor.model.device.options import WeightedOptions
from predictor.model.graph import Operator, Subgraph
from predictor.optimization.compaction.spans import Ints, Span, channels_of, requantized
from predictor.optimization.compaction.surgery import integers
from predictor.records import dataclass


@dataclass(frozen=True, eq=False, slots=True)
class WeightedLayer:
    """A convolution, a depthwise convolution or a fully connected layer.

    Attributes:
        weights: [output channels, taps, input channels]; depthwise [output channels, taps, 1].
        sees_padding: for each tap, whether some output reads padding there.
        input_channels: channels of the input tensor; a fully connected layer's inputs are a
            multiple of them.
    """

    op: Operator
    options: WeightedOptions
    weights: Ints
    bias: Ints
    sees_padding: npt.NDArray[np.bool_]
    input_channels: int

    @property
    def is_depthwise(self) -> bool:
        return self.options.operator == "DEPTHWISE_CONV_2D"

    def input_span(self, x: Span) -> Span:
        """Intervals of its inputs without their zero point."""
        repeats = 1 if self.is_depthwise else self.weights.shape[2] // self.input_channels
        offset = self.options.input_offset
        return Span(np.tile(x.low, repeats) + offset, np.tile(x.high, repeats) + offset)

    def columns(self, channel: int | Ints) -> Ints:
        """Places along the last axis of the weights that read these channels of the input."""
        chosen = np.atleast_1d(np.asarray(channel))
        repeats = self.weights.shape[2] // self.input_channels
        places = np.add.outer(np.arange(repeats) * self.input_channels, chosen)
        return np.asarray(places.reshape(-1))

    def sums(self, x: Span) -> Span:
        """Accumulators, bias included. A tap that may lie in the padding may add nothing."""
        inputs = self.input_span(x)
        positive, negative = np.maximum(self.weights, 0), np.minimum(self.weights, 0)
        if self.is_depthwise:
            source = np.arange(len(self.weights)) // self.options.channel_multiplier
            low, high = inputs.low[source][:, None], inputs.high[source][:, None]
            taps = [positive[:, :, 0] * a + negative[:, :, 0] * b for a, b in _ends(low, high)]
        else:
            taps = [positive @ a + negative @ b for a, b in _ends(inputs.low, inputs.high)]
        lowest = np.where(self.sees_padding, np.minimum(taps[0], 0), taps[0])
        highest = np.where(self.sees_padding, np.maximum(taps[1], 0), taps[1])
        return Span(self.bias + lowest.sum(axis=1), self.bias + highest.sum(axis=1))

    def outputs(self, x: Span) -> Span:
        options = self.options
        tables = options.tables
        return requantized(
            self.sums(x),
            np.array(tables.multipliers),
            np.array(tables.shifts),
            options.output_offset,
            options.activation,
        )


def _ends(low: Ints, high: Ints) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    return (low, high), (high, low)


def weighted_layer(subgraph: Subgraph, op: Operator) -> WeightedLayer | None:
    """The layer, None where the operator is none with constant weights and one group."""
    if op.is_custom or op.name not in WEIGHTED or len(op.inputs) < 2 or op.inputs[1] < 0:
        return None
    filter = subgraph.tensors[op.inputs[1]]
    bias = subgraph.tensors[op.inputs[2]] if len(op.inputs) > 2 and op.inputs[2] >= 0 else None
    constants = (filter,) if bias is None else (filter, bias)
    if any(t.data is None or t.stored_data_bytes < t.stored_bytes for t in constants):
        return None
    try:
        options = options_of(subgraph, op)
    except RefusedError:
        return None
    assert isinstance(options, WeightedOptions)
    dims, channels = options.filter_dims, options.output_dims[3]
    source = channels_of(subgraph.tensors[op.inputs[0]])
    if op.name == "DEPTHWISE_CONV_2D":
        weights = integers(filter).reshape(-1, channels).T[:, :, None]
    elif (op.name == "CONV_2D" and dims[3] != options.input_dims[3]) or dims[3] % source:
        return None
    else:
        weights = integers(filter).reshape(dims[0], dims[1] * dims[2], dims[3])
    return WeightedLayer(
        op,
        options,
        weights,
        np.zeros(channels, np.int64) if bias is None else integers(bias).reshape(-1),
        _taps_in_padding(options),
        source,
    )


def _taps_in_padding(options: WeightedOptions) -> npt.NDArray[np.bool_]:
    sees = []
    for axis in (0, 1):
        taps = np.arange(options.filter_dims[1 + axis]) * options.dilation[axis]
        last = (options.output_dims[1 + axis] - 1) * options.stride[axis]
        first_row = taps - options.padding[axis]
        sees.append((first_row < 0) | (first_row + last >= options.input_dims[1 + axis]))
    found = np.logical_or.outer(sees[0], sees[1]).reshape(-1)
    assert len(found) == prod(options.filter_dims[1:3])
    return found
