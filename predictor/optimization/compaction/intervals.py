"""Interval arithmetic over the integer graph: which values each channel can have.

Intervals hold for every input of the model. Requantisation does not fall where its accumulator
grows, so the ends of an accumulator's interval give the ends of the output's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite

import numpy as np
import numpy.typing as npt

from predictor.errors import RefusedError
from predictor.model.device import elementwise_layers
from predictor.model.device.layers import options_of
from predictor.model.device.node import LayerNode
from predictor.model.device.options import AddOptions, ClampOptions, PoolOptions
from predictor.model.floating import quotient, single
from predictor.model.graph import Operator, Subgraph, Tensor, TensorType
from predictor.model.requantization import Range, activation_range, quantize_multiplier
from predictor.optimization.compaction.spans import (
    Span,
    channels_of,
    multiplied,
    requantized,
    whole_span,
)
from predictor.optimization.compaction.surgery import has_integers, integers
from predictor.optimization.compaction.weighted import weighted_layer

Spans = Mapping[int, Span]
"""Intervals of tensors by index; tensors without one hold anything."""
SIZES = {"MEAN": 1, "PAD": 1, "RESIZE_BILINEAR": 1, "RESIZE_NEAREST_NEIGHBOR": 1}
"""The input of some operators that is no values but sizes or axes."""


def intervals(subgraph: Subgraph, input_range: Range | None = None) -> dict[int, Span]:
    """Intervals of all tensors of few bits in a subgraph.

    ``input_range``: what the model's quantised inputs hold at most; None: all their type holds.
    """
    found: dict[int, Span] = {}
    for tensor in subgraph.tensors:
        span = constant_span(tensor) if tensor.is_constant else None
        if span is not None:
            found[tensor.index] = span
    for index in subgraph.inputs:
        span = whole_span(subgraph.tensors[index])
        if span is not None:
            found[index] = span if input_range is None else span.clipped(input_range)
    for op in subgraph.operators:
        for position, index in enumerate(op.outputs):
            whole = whole_span(subgraph.tensors[index])
            if whole is None:
                continue
            span = output_span(subgraph, op, position, found)
            is_sound = span is not None and len(span.low) == len(whole.low)
            found[index] = span if span is not None and is_sound else whole
    return found


def constant_span(tensor: Tensor) -> Span | None:
    is_whole = 0 < tensor.stored_bytes <= tensor.stored_data_bytes
    if whole_span(tensor) is None or not is_whole:
        return None
    values = integers(tensor).reshape(-1, channels_of(tensor))
    return Span(values.min(axis=0), values.max(axis=0))


def output_span(subgraph: Subgraph, op: Operator, position: int, found: Spans) -> Span | None:
    """Interval of one output, None where nothing is known of it."""
    rule = None if op.is_custom else _RULES.get(op.name)
    if rule is None or (position > 0 and op.name != "SPLIT"):
        return None
    try:
        return rule(subgraph, op, found)
    except (RefusedError, ValueError):  # shapes that do not go together, which TFLM does not check
        return None


def _weighted(subgraph: Subgraph, op: Operator, found: Spans) -> Span | None:
    layer, x = weighted_layer(subgraph, op), found.get(op.inputs[0])
    return None if layer is None or x is None else layer.outputs(x)


def _pool(subgraph: Subgraph, op: Operator, found: Spans) -> Span | None:
    """Averages and maxima lie between what they are of, and then get clamped."""
    options, x = options_of(subgraph, op), found.get(op.inputs[0])
    assert isinstance(options, PoolOptions)
    return None if x is None else x.clipped(options.activation)


def _clamp(subgraph: Subgraph, op: Operator, found: Spans) -> Span | None:
    options, x = options_of(subgraph, op), found.get(op.inputs[0])
    if x is None or not isinstance(options, ClampOptions):
        return None
    return x.clipped(options.activation)


def _moved(subgraph: Subgraph, op: Operator, found: Spans) -> Span | None:
    """Values in another place, channels where they were."""
    x = found.get(op.inputs[1 if op.name == "SPLIT" else 0])
    output = subgraph.tensors[op.outputs[0]]
    if x is None or _scaling(subgraph, op.inputs[1 if op.name == "SPLIT" else 0], op.outputs[0]):
        return None
    channels = channels_of(output)
    if op.name == "RESHAPE" and channels != len(x.low) and channels % len(x.low) == 0:
        return Span(np.tile(x.low, channels // len(x.low)), np.tile(x.high, channels // len(x.low)))
    if channels == len(x.low) and op.name in _IN_PLACE:
        return x
    return Span(np.full(channels, x.low.min()), np.full(channels, x.high.max()))


def _scaling(subgraph: Subgraph, source: int, target: int) -> bool:
    """Whether two tensors differ in quantisation or type."""
    first, second = subgraph.tensors[source], subgraph.tensors[target]
    return first.type != second.type or first.quantization != second.quantization


def _pad(subgraph: Subgraph, op: Operator, found: Spans) -> Span | None:
    x = found.get(op.inputs[0])
    paddings = subgraph.tensors[op.inputs[1]]
    output = subgraph.tensors[op.outputs[0]]
    if (
        x is None
        or len(op.inputs) != 2
        or not has_integers(paddings)
        or output.quantization is None
    ):
        return None
    amounts = integers(paddings).reshape(-1, 2)
    if amounts[-1].any() or amounts.min() < 0 or _scaling(subgraph, op.inputs[0], op.outputs[0]):
        return None
    zero = np.full(len(x.low), output.quantization.zero_point)
    return x.joined(Span(zero, zero)) if amounts.any() else x


def _concatenation(subgraph: Subgraph, op: Operator, found: Spans) -> Span | None:
    spans = [found.get(index) for index in op.inputs]
    if any(_scaling(subgraph, index, op.outputs[0]) for index in op.inputs) or any(
        span is None for span in spans
    ):
        return None
    known = [span for span in spans if span is not None]
    if is_along_channels(subgraph, op):
        return Span(np.concatenate([s.low for s in known]), np.concatenate([s.high for s in known]))
    joined = known[0]
    for span in known[1:]:
        joined = joined.joined(span)
    return joined


def is_along_channels(subgraph: Subgraph, op: Operator) -> bool:
    """Whether a CONCATENATION joins along the last axis."""
    rank = len(subgraph.tensors[op.outputs[0]].shape)
    axis = int(op.options.get("axis", 0))
    return axis % rank == rank - 1 if rank else False


def leaves_channels(subgraph: Subgraph, op: Operator) -> bool:
    """Whether sizes and axes of the operator say nothing of the last axis."""
    if op.name not in ("MEAN", "PAD"):
        return True
    numbers = subgraph.tensors[op.inputs[SIZES[op.name]]]
    if not has_integers(numbers):
        return False
    values, rank = integers(numbers), len(subgraph.tensors[op.inputs[0]].shape)
    if op.name == "PAD":
        return not values.reshape(-1, 2)[-1].any()
    return rank > 0 and bool((values.reshape(-1) % rank != rank - 1).all())


def _sum(subgraph: Subgraph, op: Operator, found: Spans) -> Span | None:
    a, b = found.get(op.inputs[0]), found.get(op.inputs[1])
    if a is None or b is None:
        return None
    options = sum_options(subgraph, op)
    (first, second), (offset, multiplier, shift) = options.inputs, options.output
    scaled = [
        [multiplied((end + zero) << options.left_shift, *factor) for end in (span.low, span.high)]
        for span, (zero, *factor) in ((a, first), (b, second))
    ]
    if op.name == "SUB":
        scaled[1] = [-scaled[1][1], -scaled[1][0]]
    ends = [one + other for one, other in zip(*scaled, strict=True)]
    sums = Span(*np.broadcast_arrays(*ends))
    return requantized(sums, multiplier, shift, offset, options.activation)


def sum_options(subgraph: Subgraph, op: Operator) -> AddOptions:
    """Options of ADD and SUB, whether they broadcast or not.

    Raises:
        RefusedError: the kernels take no such operator.
    """
    tensors = [subgraph.tensors[index] for index in (*op.inputs[:2], op.outputs[0])]
    node = LayerNode(subgraph, op, "flash")
    node.same_bits(tensors[0], tensors[2])
    node.same_bits(tensors[1], tensors[2])
    return elementwise_layers.sum_options(node, *tensors)


def product_factors(
    subgraph: Subgraph, op: Operator
) -> tuple[tuple[int, int], tuple[int, int], int, Range] | None:
    """Offsets of the inputs, multiplier and shift, output's zero point and bounds of int8 MUL.

    Mirrors ``CalculateOpDataMul``; None for other types.
    """
    tensors = [subgraph.tensors[index] for index in (*op.inputs[:2], op.outputs[0])]
    quantizations = [tensor.quantization for tensor in tensors]
    if any(tensor.type != TensorType.INT8 for tensor in tensors):
        return None
    a, b, output = quantizations
    if a is None or b is None or output is None or output.scale <= 0:
        return None
    product = single(single(a.scale) * single(b.scale))
    factor = quotient(product, single(output.scale))
    if not isfinite(factor):
        return None
    function = int(op.options_in("MulOptions").get("fused_activation_function", 0))
    try:
        bounds = activation_range(function, output, 8)
    except OverflowError:
        return None
    return (
        (-a.zero_point, -b.zero_point),
        quantize_multiplier(factor),
        output.zero_point,
        bounds,
    )


def _product(subgraph: Subgraph, op: Operator, found: Spans) -> Span | None:
    a, b = found.get(op.inputs[0]), found.get(op.inputs[1])
    factors = product_factors(subgraph, op)
    if a is None or b is None or factors is None:
        return None
    offsets, scaling, zero_point, bounds = factors
    corners = [
        (x + offsets[0]) * (y + offsets[1]) for x in (a.low, a.high) for y in (b.low, b.high)
    ]
    products = np.stack(np.broadcast_arrays(*corners))
    sums = Span(products.min(axis=0), products.max(axis=0))
    return requantized(sums, *scaling, zero_point, bounds)


def requantize_factors(subgraph: Subgraph, op: Operator) -> tuple[int, tuple[int, int], int] | None:
    """Input's zero point, multiplier and shift, output's zero point of int8 to int8 QUANTIZE."""
    first, second = subgraph.tensors[op.inputs[0]], subgraph.tensors[op.outputs[0]]
    source, target = first.quantization, second.quantization
    if source is None or target is None or {first.type, second.type} != {TensorType.INT8}:
        return None
    factor = quotient(single(source.scale), single(target.scale))
    if not isfinite(factor):
        return None
    return source.zero_point, quantize_multiplier(factor), target.zero_point


def _quantize(subgraph: Subgraph, op: Operator, found: Spans) -> Span | None:
    x, factors = found.get(op.inputs[0]), requantize_factors(subgraph, op)
    if x is None or factors is None:
        return None
    zero_point, scaling, offset = factors
    return requantized(Span(x.low - zero_point, x.high - zero_point), *scaling, offset, (-128, 127))


def _extreme(subgraph: Subgraph, op: Operator, found: Spans) -> Span | None:
    a, b = found.get(op.inputs[0]), found.get(op.inputs[1])
    if a is None or b is None or any(_scaling(subgraph, i, op.outputs[0]) for i in op.inputs):
        return None
    choose = np.maximum if op.name == "MAXIMUM" else np.minimum
    return Span(choose(a.low, b.low), choose(a.high, b.high))


def _interpolated(subgraph: Subgraph, op: Operator, found: Spans) -> Span | None:
    """Constants stay what they are; other values may leave their interval at the borders."""
    x = found.get(op.inputs[0])
    whole = whole_span(subgraph.tensors[op.outputs[0]])
    if x is None or whole is None or _scaling(subgraph, op.inputs[0], op.outputs[0]):
        return None
    return _where(x.is_constant, x, whole)


def _zero_to_zero(subgraph: Subgraph, op: Operator, found: Spans) -> Span | None:
    """Real zeros stay zeros, in all that any TFLM computes; nothing is known of other values."""
    x = found.get(op.inputs[0])
    source, output = subgraph.tensors[op.inputs[0]], subgraph.tensors[op.outputs[0]]
    whole = whole_span(output)
    if x is None or whole is None or source.quantization is None or output.quantization is None:
        return None
    if len(x.low) != len(whole.low) or not leaves_channels(subgraph, op):
        return None
    is_zero = x.is_constant & (x.low == source.quantization.zero_point)
    zero = np.full_like(x.low, output.quantization.zero_point)
    return _where(is_zero, Span(zero, zero), whole)


def _where(which: npt.NDArray[np.bool_], one: Span, other: Span) -> Span:
    return Span(np.where(which, one.low, other.low), np.where(which, one.high, other.high))


_IN_PLACE = ("EXPAND_DIMS", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "SQUEEZE")
"""Movements that leave each value in its channel where the output has as many."""
_RULES: Mapping[str, Callable[[Subgraph, Operator, Spans], Span | None]] = {
    "ABS": _zero_to_zero,
    "ADD": _sum,
    "AVERAGE_POOL_2D": _pool,
    "CONCATENATION": _concatenation,
    "CONV_2D": _weighted,
    "DEPTHWISE_CONV_2D": _weighted,
    "EXPAND_DIMS": _moved,
    "FULLY_CONNECTED": _weighted,
    "HARD_SWISH": _zero_to_zero,
    "LEAKY_RELU": _zero_to_zero,
    "MAXIMUM": _extreme,
    "MAX_POOL_2D": _pool,
    "MEAN": _zero_to_zero,
    "MINIMUM": _extreme,
    "MUL": _product,
    "PAD": _pad,
    "QUANTIZE": _quantize,
    "RELU": _clamp,
    "RELU6": _clamp,
    "RELU_N1_TO_1": _clamp,
    "RESHAPE": _moved,
    "RESIZE_BILINEAR": _interpolated,
    "RESIZE_NEAREST_NEIGHBOR": _moved,
    "SPLIT": _moved,
    "SQUEEZE": _moved,
    "STRIDED_SLICE": _moved,
    "SUB": _sum,
    "TRANSPOSE": _moved,
}
