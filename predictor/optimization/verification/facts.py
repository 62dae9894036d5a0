"""What is always true of the tensors of a model: bounds, equal channels, equal tensors."""

from __future__ import annotations

import time
from collections.abc import Container
from math import inf

import numpy as np

from predictor.errors import UnprovedError
from predictor.model.graph import Operator, Subgraph, Tensor, TensorType
from predictor.optimization.verification.arithmetic import Array
from predictor.optimization.verification.bounds import Bounds, evaluate, sum_bounds
from predictor.optimization.verification.channels import POINTWISE, channel_parts
from predictor.optimization.verification.reading import (
    RANGES,
    constant,
    depth,
    is_alike,
    layer_sum,
)

_RESHAPES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
_MOVEMENTS = {"SPLIT": 1, "STRIDED_SLICE": 0, "TRANSPOSE": 0, "RESIZE_NEAREST_NEIGHBOR": 0}
"""Operators that move values, and which of their inputs these come from."""


def check_time(deadline: float) -> None:
    """Gives up a proof that takes too long.

    Raises:
        UnprovedError: time is up.
    """
    if time.monotonic() > deadline:
        raise UnprovedError("there was not enough time for the proof")


def _check_order(graph: Subgraph, written: Container[int]) -> None:
    """Facts follow from those of what was written before.

    Raises:
        UnprovedError: something is read first.
    """
    known: set[int] = set()
    for op in graph.operators:
        for index in op.inputs:
            if index in written and index not in known:
                raise UnprovedError(f"{graph.tensors[index].name!r} is read before it is written")
        known.update(op.outputs)


class Facts:
    """Facts of one subgraph.

    Args:
        deadline: of ``time.monotonic()``.

    Raises:
        UnprovedError: time is up, or operators read what is only written later.
    """

    def __init__(
        self,
        graph: Subgraph,
        input_range: tuple[int, int] | None = None,
        deadline: float = inf,
    ) -> None:
        self.graph = graph
        self._input_range = input_range
        self.writer = {index: op for op in graph.operators for index in op.outputs}
        self._bounds: dict[int, Bounds] = {}
        self._classes: dict[int, Array] = {}
        self._origins: dict[int, int] = {}
        _check_order(graph, self.writer)
        for op in graph.operators:  # in order, so that no recursion gets deep
            check_time(deadline)
            for index in op.outputs:
                self.bounds(index)
                self.classes(index)
                self.origin(index)

    def bounds(self, index: int) -> Bounds:
        """Lowest and highest value of each channel of a quantised tensor."""
        if index not in self._bounds:
            tensor = self.graph.tensors[index]
            found = self._known_bounds(index, tensor)
            low, high = RANGES.get(tensor.type, (0, 0))
            if index in self.graph.inputs and self._input_range is not None:
                low, high = max(low, self._input_range[0]), min(high, self._input_range[1])
            whole = np.full(depth(tensor), low), np.full(depth(tensor), high)
            is_usable = found is not None and len(found[0]) == len(whole[0])
            self._bounds[index] = found if found is not None and is_usable else whole
        return self._bounds[index]

    def _known_bounds(self, index: int, tensor: Tensor) -> Bounds | None:
        if tensor.type not in RANGES:
            return None
        values = constant(tensor)
        if values is not None and values.size:
            rows = values.reshape(-1, depth(tensor))
            return rows.min(axis=0), rows.max(axis=0)
        op = self.writer.get(index)
        if op is None or op.is_custom:
            return None
        if op.name in _MOVEMENTS:
            return self._moved_bounds(op, tensor)
        layer = layer_sum(self.graph, op)
        if layer is not None:
            return sum_bounds(layer, *self.bounds(op.inputs[0]), self.classes(op.inputs[0]))
        return evaluate(self.graph, op, self.bounds) if len(op.outputs) == 1 else None

    def _moved_bounds(self, op: Operator, tensor: Tensor) -> Bounds | None:
        """Values that come from one tensor, each from any of its channels or from its own."""
        source = op.inputs[_MOVEMENTS[op.name]]
        if not is_alike(self.graph.tensors[source], tensor):
            return None
        low, high = self.bounds(source)
        if op.name == "RESIZE_NEAREST_NEIGHBOR":
            return low, high
        channels = depth(tensor)
        return np.full(channels, low.min(initial=127)), np.full(channels, high.max(initial=-128))

    def value(self, index: int, channel: int) -> int | None:
        """The value of a channel that is constant."""
        if self.graph.tensors[index].type not in RANGES:
            return None
        low, high = self.bounds(index)
        return int(low[channel]) if low[channel] == high[channel] else None

    def stored_value(self, index: int) -> bytes | None:
        """The bytes of a computed tensor that is always the same; of short ones only."""
        op, tensor = self.writer.get(index), self.graph.tensors[index]
        if tensor.data is not None:
            return bytes(tensor.data)[: tensor.stored_bytes]
        if op is None or op.is_custom or len(op.outputs) != 1 or not op.inputs:
            return None
        if op.name == "SHAPE" and tensor.type in (TensorType.INT32, TensorType.INT64):
            kind = "<i4" if tensor.type == TensorType.INT32 else "<i8"
            return np.array(self.graph.tensors[op.inputs[0]].shape, kind).tobytes()
        if op.name in _RESHAPES:
            return self.stored_value(op.inputs[0])
        if tensor.type == TensorType.INT8 and tensor.elements == depth(tensor):
            low, high = self.bounds(index)
            return low.astype(np.int8).tobytes() if np.array_equal(low, high) else None
        return None

    def classes(self, index: int) -> Array:
        """A number for each channel; channels of one number are equal at every place."""
        if index not in self._classes:
            found = self._known_classes(index)
            every = np.arange(depth(self.graph.tensors[index]))
            self._classes[index] = self._joined_constants(index, every if found is None else found)
        return self._classes[index]

    def _joined_constants(self, index: int, classes: Array) -> Array:
        """Channels that always hold one value are of one class, too."""
        if self.graph.tensors[index].type not in RANGES:
            return classes
        low, high = self.bounds(index)
        return np.where(low == high, -1000 + low, classes)

    def _known_classes(self, index: int) -> Array | None:
        op, tensor = self.writer.get(index), self.graph.tensors[index]
        values = constant(tensor)
        if values is not None and values.size:
            return _grouped(values.reshape(-1, depth(tensor)).T)
        if op is None or op.is_custom or len(op.outputs) != 1:
            return None
        layer = layer_sum(self.graph, op)
        if layer is not None:
            return self._sum_classes(op, layer.weights, layer.bias, layer.factors)
        parts = channel_parts(self.graph, op)
        if parts is None:
            return None
        if op.name == "CONCATENATION" and parts[0][1].size != depth(tensor):
            owners = [(source, self.classes(source)) for source, _ in parts]
            rows = [np.column_stack([np.full_like(own, index), own]) for index, own in owners]
            return _grouped(np.concatenate(rows))
        columns = [self.classes(source)[places] for source, places in parts]
        if op.name == "RESHAPE":
            columns.append(np.arange(depth(tensor)) // depth(self.graph.tensors[op.inputs[0]]))
        return _grouped(np.stack(columns, axis=1))

    def _sum_classes(
        self, op: Operator, weights: Array, bias: Array, factors: list[tuple[int, int]]
    ) -> Array:
        inputs = self.classes(op.inputs[0])
        rest = np.array([[int(b), *factor] for b, factor in zip(bias, factors, strict=True)])
        outputs = len(weights)
        if op.name == "DEPTHWISE_CONV_2D":
            read = inputs[np.arange(outputs) // (outputs // len(inputs))]
            return _grouped(np.column_stack([read, weights[:, :, 0], rest]))
        tiles = weights.shape[2] // len(inputs)
        shaped = weights.reshape(outputs, weights.shape[1], tiles, len(inputs))
        joined = [shaped[..., inputs == number].sum(axis=-1) for number in np.unique(inputs)]
        return _grouped(np.column_stack([np.stack(joined, -1).reshape(outputs, -1), rest]))

    def origin(self, index: int) -> int:
        """The earliest tensor that always equals this one, element by element in memory order."""
        if index not in self._origins:
            self._origins[index] = self._known_origin(index)
        return self._origins[index]

    def _known_origin(self, index: int) -> int:
        op = self.writer.get(index)
        if op is None or op.is_custom or len(op.outputs) != 1 or not op.inputs:
            return index
        tensors = self.graph.tensors
        source = self.operand(op)
        if op.name in _RESHAPES:
            return self._reshape_origin(index, op)
        if op.name not in POINTWISE or source is None:
            return index
        for start, chain in self._chains(source, op):
            is_same = tensors[start].shape == tensors[index].shape
            if is_same and is_alike(tensors[start], tensors[index]) and self._is_idle(start, chain):
                return self.origin(start)
        return index

    def _chains(self, source: int, op: Operator) -> list[tuple[int, list[Operator]]]:
        """The operator and, where it works alike, the one before it: from which tensor on, what."""
        before = self.writer.get(source)
        chains = [(source, [op])]
        if before is not None and before.name in POINTWISE and not before.is_custom:
            first = self.operand(before)
            chains += [] if first is None else [(first, [before, op])]
        return chains

    def is_same_on(self, index: int, origin: int, channels: Array) -> bool:
        """Whether some channels of a tensor are those of another one, which is its own origin."""
        if self.origin(index) == origin:
            return True
        op = self.writer.get(index)
        source = None if op is None else self.operand(op)
        if op is None or source is None or op.is_custom or op.name not in POINTWISE:
            return False
        tensors = self.graph.tensors
        return any(
            tensors[start].shape == tensors[index].shape
            and is_alike(tensors[start], tensors[index])
            and self._is_idle(start, chain, channels)
            and self.is_same_on(start, origin, channels)
            for start, chain in self._chains(source, op)
        )

    def _reshape_origin(self, index: int, op: Operator) -> int:
        source: int = op.inputs[0]
        while True:
            first, last = self.graph.tensors[source], self.graph.tensors[index]
            if first.shape == last.shape and is_alike(first, last):
                return self.origin(source)
            before = self.writer.get(source)
            if before is None or before.is_custom or before.name not in _RESHAPES:
                return index
            source = before.inputs[0]

    def operand(self, op: Operator) -> int | None:
        """The only input that is computed."""
        found = [i for i in op.inputs if i >= 0 and self.graph.tensors[i].data is None]
        return found[0] if len(found) == 1 else None

    def _is_idle(
        self, start: int, chain: list[Operator], channels: Array | slice = slice(None)
    ) -> bool:
        low, high = (end[channels] for end in self.bounds(start))
        if self.graph.tensors[start].type not in RANGES or not len(low):
            return False
        return all(
            self._gives_back(start, chain, value, channels)
            for value in range(int(low.min()), int(high.max()) + 1)
        )

    def _gives_back(
        self, start: int, chain: list[Operator], value: int, channels: Array | slice
    ) -> bool:
        """Whether operators leave a value as it is in these channels that can have it."""
        low, high = self.bounds(start)
        held: dict[int, Bounds] = {start: (np.full_like(low, value), np.full_like(low, value))}
        for op in chain:
            found = evaluate(self.graph, op, lambda i: held[i] if i in held else self.bounds(i))
            if found is None or len(found[0]) != len(low):
                return False
            held[op.outputs[0]] = found
        reached = ((low <= value) & (high >= value))[channels]
        return all((end[channels][reached] == value).all() for end in held[chain[-1].outputs[0]])


def _grouped(rows: Array) -> Array:
    """The number of the distinct row that each row is."""
    known: dict[bytes, int] = {}
    exact = np.ascontiguousarray(rows, np.int64)
    return np.array([known.setdefault(row.tobytes(), len(known)) for row in exact], np.int64)
