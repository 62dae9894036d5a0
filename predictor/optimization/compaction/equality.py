"""Channels that are always equal: value numbering over the integer graph.

Two channels have one number where the same operations on channels of one number make them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import count

import numpy as np

from predictor.model.graph import Operator, Quantization, Subgraph, Tensor
from predictor.optimization.compaction.intervals import is_along_channels
from predictor.optimization.compaction.removal import Flags, Readable, Removal, ties
from predictor.optimization.compaction.spans import Ints, channels_of
from predictor.optimization.compaction.weighted import WeightedLayer, weighted_layer
from predictor.optimization.grouping import sums_by_class

Numbers = dict[int, Ints]
"""For each tensor the number of each channel."""


class _Numbering:
    def __init__(self, subgraph: Subgraph) -> None:
        self._subgraph = subgraph
        self._ids: dict[Hashable, int] = {}
        self._fresh = count()
        self.numbers: Numbers = {}
        for tensor in subgraph.tensors:
            if tensor.is_constant:
                self.numbers[tensor.index] = self._constant(tensor)
        for op in subgraph.operators:
            for position, index in enumerate(op.outputs):
                self.numbers[index] = self._output(op, position)

    def _number(self, key: Hashable) -> int:
        return self._ids.setdefault(key, -1 - len(self._ids))

    def _new(self, tensor: Tensor) -> Ints:
        return np.fromiter(self._fresh, np.int64, count=channels_of(tensor))

    def of(self, index: int) -> Ints:
        if index not in self.numbers:
            self.numbers[index] = self._new(self._subgraph.tensors[index])
        return self.numbers[index]

    def _constant(self, tensor: Tensor) -> Ints:
        channels = channels_of(tensor)
        stored = np.frombuffer(tensor.data or b"", np.uint8)
        if not channels or not tensor.elements or stored.size % tensor.elements:
            return self._new(tensor)
        rows = stored.reshape(-1, channels, stored.size // tensor.elements)
        kind = (tensor.type, tensor.shape[:-1], _scales(tensor.quantization))
        return np.array(
            [self._number((kind, rows[:, channel].tobytes())) for channel in range(channels)],
            np.int64,
        )

    def _output(self, op: Operator, position: int) -> Ints:
        output = self._subgraph.tensors[op.outputs[position]]
        layer = weighted_layer(self._subgraph, op)
        if layer is not None:
            return self._weighted(layer)
        bonds = ties(self._subgraph, op)
        if bonds is None:
            return self._new(output)
        if op.name == "CONCATENATION" and is_along_channels(self._subgraph, op):
            tensors = [self._subgraph.tensors[index] for index in op.inputs]
            if all(_scales(t.quantization) == _scales(output.quantization) for t in tensors):
                return np.concatenate([self.of(index) for index in op.inputs])
            return self._new(output)
        kind = self._kind(op, {bond.first for bond in bonds})
        rows = [self.of(bond.first)[bond.first_channels] for bond in bonds]
        if op.name == "RESHAPE":
            rows.append(np.arange(channels_of(output)) // channels_of(self._input(op)))
        return np.array([self._number((kind, *map(int, row))) for row in zip(*rows, strict=True)])

    def _input(self, op: Operator) -> Tensor:
        return self._subgraph.tensors[op.inputs[0]]

    def _kind(self, op: Operator, tied: set[int]) -> Hashable:
        """All that decides what the operator makes of its channels, but for the channels."""
        tensors = [self._subgraph.tensors[index] for index in (*op.inputs, *op.outputs)]
        return (
            op.name,
            repr(sorted(op.options.items())),
            *((t.type, t.shape[:-1], _scales(t.quantization)) for t in tensors),
            *(bytes(t.data or b"") for t in tensors if t.is_constant and t.index not in tied),
        )

    def _weighted(self, layer: WeightedLayer) -> Ints:
        """Rows of weights, those of equal inputs added up, with bias and multiplier."""
        options = layer.options
        source = self.of(layer.op.inputs[0])
        tables = options.tables
        channels = len(layer.weights)
        scaling = np.broadcast_to(np.array([tables.multipliers, tables.shifts]), (2, channels))
        kind: Hashable = (
            options.operator,
            options.input_dims[:3],
            options.filter_dims[1:3],
            options.output_dims[:3],
            (options.input_bits, options.input_offset, options.output_offset, options.activation),
            (options.stride, options.padding, options.dilation),
        )
        if layer.is_depthwise:
            weights = layer.weights[:, :, 0]
            read = source[np.arange(channels) // options.channel_multiplier]
        else:
            repeats = layer.weights.shape[2] // layer.input_channels
            places = np.repeat(np.arange(repeats), len(source))
            columns = np.stack([np.tile(source, repeats), places])
            distinct, place = np.unique(columns, axis=1, return_inverse=True)
            weights = sums_by_class(layer.weights, place.reshape(-1)).reshape(channels, -1)
            read = np.zeros(channels, np.int64)
            kind = (kind, distinct.tobytes())
        return np.array(
            [
                self._number((kind, int(read[o]), weights[o].tobytes(), int(layer.bias[o]), *table))
                for o, table in enumerate(map(tuple, scaling.T.tolist()))
            ]
        )


def _scales(quantization: Quantization | None) -> Hashable:
    return (
        None
        if quantization is None
        else (quantization.scales, quantization.zero_points, quantization.dimension)
    )


def leaders(subgraph: Subgraph) -> dict[int, Ints]:
    """For each channel of each computed tensor, the first channel of it that is always equal."""
    numbers = _Numbering(subgraph).numbers
    found = {}
    for op in subgraph.operators:
        for index in op.outputs:
            _, first, place = np.unique(numbers[index], return_index=True, return_inverse=True)
            found[index] = first[place.reshape(-1)].astype(np.int64)
    return found


def followers(leader: Mapping[int, Ints]) -> Removal:
    """Channels that equal one before them."""
    flags = {index: first != np.arange(len(first)) for index, first in leader.items()}
    return {index: found for index, found in flags.items() if found.any()}


def can_merge(leader: Mapping[int, Ints]) -> Readable:
    """Which inputs of a layer may join the channel that they equal: their weights still fit."""

    def mergeable(layer: WeightedLayer) -> Flags:
        first = leader.get(layer.op.inputs[0])
        if first is None:
            return np.zeros(layer.input_channels, bool)
        channels, taps, inputs = layer.weights.shape
        columns = layer.weights.reshape(channels, taps, inputs // len(first), len(first))
        highest = (1 << (layer.options.weight_bits - 1)) - 1
        fits = np.asarray((np.abs(sums_by_class(columns, first)) <= highest).all(axis=(0, 1, 2)))
        _, place = np.unique(first, return_inverse=True)
        return np.asarray((first != np.arange(len(first))) & fits[place.reshape(-1)])

    return mergeable
