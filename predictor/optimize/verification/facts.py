"""What is always true of the tensors of a model: bounds, equal channels, equal tensors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from predictor.model.graph import Operator, Subgraph, Tensor, TensorType
from predictor.optimize.verification.arithmetic import Array, clamp_of, fixed_point, scaled, single
from predictor.optimize.verification.reading import (
    RANGES,
    constant,
    depth,
    is_alike,
    layer_sum,
    scale_of,
    zero_of,
)

Bounds = tuple[Array, Array]
_RESHAPES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
_MOVEMENTS = {"SPLIT": 1, "STRIDED_SLICE": 0, "TRANSPOSE": 0, "RESIZE_NEAREST_NEIGHBOR": 0}
"""Operators that move values, and which of their inputs these come from."""
_POINTWISE = ("ADD", "MUL", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "MAXIMUM", "MINIMUM")


class Facts:
    """Facts of one subgraph, each found when it is asked for."""

    def __init__(self, graph: Subgraph, input_range: tuple[int, int] | None = None) -> None:
        self.graph = graph
        self._input_range = input_range
        self.writer = {index: op for op in graph.operators for index in op.outputs}
        self._bounds: dict[int, Bounds] = {}
        self._classes: dict[int, Array] = {}
        self._origins: dict[int, int] = {}
        for op in graph.operators:  # in order, so that no recursion gets deep
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
            self._classes[index] = (
                np.arange(depth(self.graph.tensors[index])) if found is None else found
            )
        return self._classes[index]

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
        if sum(len(own) for _, own in parts) != len(parts) * depth(tensor):
            return None  # joined along the channels
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
        if op.name not in _POINTWISE or source is None:
            return index
        before = self.writer.get(source)
        chains = [(source, [op])]
        if before is not None and before.name in _POINTWISE and not before.is_custom:
            first = self.operand(before)
            chains += [] if first is None else [(first, [before, op])]
        for start, chain in chains:
            is_same = tensors[start].shape == tensors[index].shape
            if is_same and is_alike(tensors[start], tensors[index]) and self._is_idle(start, chain):
                return self.origin(start)
        return index

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

    def _is_idle(self, start: int, chain: list[Operator]) -> bool:
        low, high = self.bounds(start)
        if self.graph.tensors[start].type not in RANGES:
            return False
        return all(
            self._gives_back(start, chain, value)
            for value in range(int(low.min()), int(high.max()) + 1)
        )

    def _gives_back(self, start: int, chain: list[Operator], value: int) -> bool:
        """Whether operators leave a value as it is in all channels that can have it."""
        low, high = self.bounds(start)
        held: dict[int, Bounds] = {start: (np.full_like(low, value), np.full_like(low, value))}
        for op in chain:
            found = evaluate(self.graph, op, lambda i: held[i] if i in held else self.bounds(i))
            if found is None or len(found[0]) != len(low):
                return False
            held[op.outputs[0]] = found
        reached = (low <= value) & (high >= value)
        return all((end[reached] == value).all() for end in held[chain[-1].outputs[0]])


def _grouped(rows: Array) -> Array:
    """The number of the distinct row that each row is."""
    known: dict[bytes, int] = {}
    exact = np.ascontiguousarray(rows, np.int64)
    return np.array([known.setdefault(row.tobytes(), len(known)) for row in exact], np.int64)


def channel_parts(graph: Subgraph, op: Operator) -> list[tuple[int, Array]] | None:
    """For operators that work channel by channel: of each input, which channel each output reads.

    None for operators of which that is not known. Constants with one element have no part.
    """
    output = graph.tensors[op.outputs[0]]
    channels = depth(output)
    every = np.arange(channels)
    if op.name == "RESHAPE":
        source = depth(graph.tensors[op.inputs[0]])
        return [(op.inputs[0], every % source)] if source and channels % source == 0 else None
    if op.name == "CONCATENATION":
        rank = len(output.shape)
        if int(op.options.get("axis", 0)) % rank == rank - 1:
            owners = [np.arange(depth(graph.tensors[index])) for index in op.inputs]
            return list(zip(op.inputs, owners, strict=True))
        alike = all(depth(graph.tensors[index]) == channels for index in op.inputs)
        return [(index, every) for index in op.inputs] if alike else None
    sizes = {"PAD": 1, "MEAN": 1, "RESIZE_BILINEAR": 1, "RESIZE_NEAREST_NEIGHBOR": 1}
    known = (
        *_POINTWISE,
        *sizes,
        *("ABS", "AVERAGE_POOL_2D", "DEQUANTIZE", "ELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC"),
        *("MAX_POOL_2D", "SUB", "TANH"),
    )
    if op.name not in known or not _is_by_channel(graph, op):
        return None
    parts = []
    for position, index in enumerate(op.inputs):
        tensor = graph.tensors[index]
        if sizes.get(op.name) == position or (tensor.data is not None and tensor.elements == 1):
            continue
        if depth(tensor) != channels:
            return None
        parts.append((index, every))
    return parts


def _is_by_channel(graph: Subgraph, op: Operator) -> bool:
    if op.name not in ("PAD", "MEAN"):
        return True
    numbers = constant(graph.tensors[op.inputs[1]])
    rank = len(graph.tensors[op.inputs[0]].shape)
    if numbers is None:
        return False
    if op.name == "PAD":
        return not numbers.reshape(-1, 2)[-1].any()
    return all(int(axis) % rank != rank - 1 for axis in numbers.reshape(-1))


def evaluate(graph: Subgraph, op: Operator, bounds: Callable[[int], Bounds]) -> Bounds | None:
    """Bounds of an operator's output from those of its inputs."""
    output = graph.tensors[op.outputs[0]]
    inputs = [graph.tensors[index] for index in op.inputs if index >= 0]
    if output.type not in RANGES or not inputs:
        return None
    layer = layer_sum(graph, op)
    if layer is not None:
        low, high = bounds(op.inputs[0])
        tiles = 1 if layer.is_depthwise else layer.weights.shape[2] // len(low)
        ends = np.stack([np.tile(low, tiles), np.tile(high, tiles)]) - layer.in_zero
        if layer.is_depthwise:
            ends = np.repeat(ends, len(layer.weights) // len(low), axis=1)[:, :, None, None]
        else:
            ends = ends[:, None, None, :]
        products = np.stack([layer.weights * end for end in ends])
        least, most = products.min(axis=0).sum(axis=2), products.max(axis=0).sum(axis=2)
        outside = layer.leaves().astype(bool)
        least[:, outside] = np.minimum(least[:, outside], 0)
        most[:, outside] = np.maximum(most[:, outside], 0)
        sums = (layer.bias + least.sum(axis=1), layer.bias + most.sum(axis=1))
        return _rescaled(sums, layer.factors, layer.out_zero, layer.clamp)
    return _evaluate_plain(graph, op, bounds, output, inputs)


def _rescaled(
    sums: Bounds, factors: list[tuple[int, int]], zero: int, clamp: tuple[int, int]
) -> Bounds:
    ends = []
    sound = np.ones(len(sums[0]), bool)
    for end in sums:
        value, is_sound = scaled(end, factors)
        sound &= is_sound
        ends.append(np.clip(value + zero, *clamp))
    return np.where(sound, ends[0], clamp[0]), np.where(sound, ends[1], clamp[1])


def _evaluate_plain(
    graph: Subgraph,
    op: Operator,
    bounds: Callable[[int], Bounds],
    output: Tensor,
    inputs: list[Tensor],
) -> Bounds | None:
    lows, highs = zip(*(bounds(i) for i in op.inputs if i >= 0), strict=True)
    clamp = clamp_of(
        int(op.options.get("fused_activation_function", 0)),
        scale_of(output) or 1.0,
        zero_of(output),
        *RANGES[output.type],
    )
    is_plain = is_alike(inputs[0], output)
    if op.name in ("AVERAGE_POOL_2D", "MAX_POOL_2D") and is_plain:
        return np.clip(lows[0], *clamp), np.clip(highs[0], *clamp)
    if op.name in ("RELU", "RELU6", "RELU_N1_TO_1") and is_plain:
        function = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}[op.name]
        ends = clamp_of(function, scale_of(output), zero_of(output), *RANGES[output.type])
        return np.clip(lows[0], *ends), np.clip(highs[0], *ends)
    if op.name == "RESHAPE" and is_plain and depth(output) % depth(inputs[0]) == 0:
        tiles = depth(output) // depth(inputs[0])
        return np.tile(lows[0], tiles), np.tile(highs[0], tiles)
    if op.name == "PAD" and is_plain and len(op.inputs) == 2 and _is_by_channel(graph, op):
        zero = zero_of(output)
        return np.minimum(lows[0], zero), np.maximum(highs[0], zero)
    if op.name == "CONCATENATION" and all(is_alike(x, output) for x in inputs):
        rank = len(output.shape)
        if int(op.options.get("axis", 0)) % rank == rank - 1:
            return np.concatenate(lows), np.concatenate(highs)
        return np.min(np.stack(lows), axis=0), np.max(np.stack(highs), axis=0)
    if op.name in ("MAXIMUM", "MINIMUM") and all(is_alike(x, output) for x in inputs):
        choose = np.maximum if op.name == "MAXIMUM" else np.minimum
        return choose(*lows), choose(*highs)
    if all(x.type == TensorType.INT8 for x in (*inputs, output)):
        return _evaluate_scaled(op, lows, highs, output, inputs, clamp)
    return None


def _evaluate_scaled(
    op: Operator,
    lows: tuple[Array, ...],
    highs: tuple[Array, ...],
    output: Tensor,
    inputs: list[Tensor],
    clamp: tuple[int, int],
) -> Bounds | None:
    zeros, scales = [zero_of(x) for x in inputs], [single(scale_of(x)) for x in inputs]
    out = single(scale_of(output))
    if op.name == "QUANTIZE":
        factor = fixed_point(float(scales[0] / out))
        ends = (lows[0] - zeros[0], highs[0] - zeros[0])
        return _rescaled(ends, [factor] * len(ends[0]), zero_of(output), (-128, 127))
    if op.name == "ADD" and len(inputs) == 2:
        twice = 2 * max(scales)
        factors = [fixed_point(float(scale / twice)) for scale in scales]
        last = fixed_point(float(twice / (2.0**20 * out)))
        if any(exponent > 0 for _, exponent in (*factors, last)):
            return None
        totals = []
        for inputs_at in (lows, highs):
            terms = [
                scaled((end - zero) * 2**20, [factor] * len(end))[0]
                for end, zero, factor in zip(inputs_at, zeros, factors, strict=True)
            ]
            totals.append(terms[0] + terms[1])
        return _rescaled((totals[0], totals[1]), [last] * len(totals[0]), zero_of(output), clamp)
    if op.name == "MUL" and len(inputs) == 2:
        with np.errstate(all="ignore"):
            product = np.float32(scale_of(inputs[0])) * np.float32(scale_of(inputs[1]))
        factor = fixed_point(float(np.float64(product) / out))
        corners = [
            (a - zeros[0]) * (b - zeros[1])
            for a in (lows[0], highs[0])
            for b in (lows[1], highs[1])
        ]
        spread = np.stack(np.broadcast_arrays(*corners))
        reach = (spread.min(axis=0), spread.max(axis=0))
        return _rescaled(reach, [factor] * len(reach[0]), zero_of(output), clamp)
    return None
