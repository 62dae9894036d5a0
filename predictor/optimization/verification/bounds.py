"""Bounds of what an operator writes, from bounds of what it reads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from predictor.model.graph import Operator, Subgraph, Tensor, TensorType
from predictor.optimization.grouping import sums_by_class
from predictor.optimization.verification.arithmetic import (
    Array,
    clamp_of,
    fixed_point,
    scaled,
    single,
)
from predictor.optimization.verification.channels import is_by_channel, joins_channels
from predictor.optimization.verification.reading import (
    RANGES,
    Sum,
    depth,
    is_alike,
    layer_sum,
    scale_of,
    zero_of,
)

Bounds = tuple[Array, Array]
"""Lowest and highest value of each channel."""
ZERO_KEEPING = ("ABS", "HARD_SWISH", "LEAKY_RELU", "MEAN")
"""Operators that give zero for zeros, in whatever scales."""


def evaluate(graph: Subgraph, op: Operator, bounds: Callable[[int], Bounds]) -> Bounds | None:
    """Bounds of an operator's output from those of its inputs."""
    output = graph.tensors[op.outputs[0]]
    inputs = [graph.tensors[index] for index in op.inputs if index >= 0]
    if output.type not in RANGES or not inputs:
        return None
    layer = layer_sum(graph, op)
    if layer is not None:
        low, high = bounds(op.inputs[0])
        return sum_bounds(layer, low, high, np.arange(len(low)))
    return _evaluate_plain(graph, op, bounds, output, inputs)


def sum_bounds(layer: Sum, low: Array, high: Array, classes: Array) -> Bounds:
    """Bounds of a layer's outputs. Inputs of one class are one number, with the sum of weights."""
    channels = len(low)
    ends = np.stack([low, high]) - layer.in_zero
    weights = layer.weights
    if layer.is_depthwise:
        ends = np.repeat(ends, len(weights) // channels, axis=1)[:, :, None, None]
    else:
        _, first = np.unique(classes, return_index=True)
        tiles = weights.shape[2] // channels
        shaped = weights.reshape(*weights.shape[:2], tiles, channels)
        weights = sums_by_class(shaped, classes).reshape(*weights.shape[:2], -1)
        ends = np.tile(ends[:, first], tiles)[:, None, None, :]
    products = np.stack([weights * end for end in ends])
    least, most = products.min(axis=0).sum(axis=2), products.max(axis=0).sum(axis=2)
    outside = layer.leaves().astype(bool)
    least[:, outside] = np.minimum(least[:, outside], 0)
    most[:, outside] = np.maximum(most[:, outside], 0)
    sums = (layer.bias + least.sum(axis=1), layer.bias + most.sum(axis=1))
    return _rescaled(sums, layer.factors, layer.out_zero, layer.clamp)


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
    if op.name == "PAD" and is_plain and len(op.inputs) == 2 and is_by_channel(graph, op):
        zero = zero_of(output)
        return np.minimum(lows[0], zero), np.maximum(highs[0], zero)
    if op.name == "CONCATENATION" and all(is_alike(x, output) for x in inputs):
        if joins_channels(graph, op):
            return np.concatenate(lows), np.concatenate(highs)
        if len({len(low) for low in lows}) > 1:
            return None
        return np.min(np.stack(lows), axis=0), np.max(np.stack(highs), axis=0)
    if op.name in ZERO_KEEPING or (op.name == "RESIZE_BILINEAR" and is_plain):
        return _kept_constants(graph, op, (lows[0], highs[0]), inputs[0], output)
    if len({len(low) for low in lows} - {1}) > 1:
        return None  # TFLM does not look at all shapes: these channels do not go together
    is_alike_all = all(is_alike(x, output) for x in inputs)
    if op.name in ("MAXIMUM", "MINIMUM") and is_alike_all and len(inputs) == 2:
        choose = np.maximum if op.name == "MAXIMUM" else np.minimum
        return choose(*lows), choose(*highs)
    if all(x.type == TensorType.INT8 for x in (*inputs, output)):
        return _evaluate_scaled(op, lows, highs, output, inputs, clamp)
    return None


def _kept_constants(
    graph: Subgraph, op: Operator, source: Bounds, tensor: Tensor, output: Tensor
) -> Bounds | None:
    """Channels of one value: any that weights of sum one take, real zeros that functions keep."""
    low, high = source
    if len(low) != depth(output) or not is_by_channel(graph, op):
        return None
    least, most = RANGES[output.type]
    is_kept, value = low == high, low
    if op.name in ZERO_KEEPING:
        is_kept, value = is_kept & (low == zero_of(tensor)), np.full_like(low, zero_of(output))
    return np.where(is_kept, value, least), np.where(is_kept, value, most)


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
    if op.name in ("ADD", "SUB") and len(inputs) == 2:
        twice = 2 * max(scales)
        factors = [fixed_point(float(scale / twice)) for scale in scales]
        last = fixed_point(float(twice / (2.0**20 * out)))
        if any(exponent > 0 for _, exponent in (*factors, last)):
            return None
        pairs = zip(lows, highs, zeros, factors, strict=True)
        terms = [
            [scaled((end - zero) * 2**20, [factor] * len(end))[0] for end in (low, high)]
            for low, high, zero, factor in pairs
        ]
        if op.name == "SUB":
            terms[1] = [-end for end in reversed(terms[1])]
        totals = [one + other for one, other in zip(*terms, strict=True)]
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
