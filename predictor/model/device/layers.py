"""From a builtin operator to what the project's kernels take.

One function per operator computes the dims, offsets, bounds and multipliers that TFLM's Prepare
would, from the tensors of the graph. What a kernel does not take is refused with the reason.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from math import prod

from predictor.model.device import elementwise_layers
from predictor.model.device.activation_tables import ACTIVATIONS
from predictor.model.device.node import LayerNode
from predictor.model.device.options import (
    AddOptions,
    ClampOptions,
    DeviceOptions,
    Dims,
    PadOptions,
    PoolOptions,
    RequantizeOptions,
    SoftmaxOptions,
    Tables,
    WeightedOptions,
)
from predictor.model.floating import quotient, single
from predictor.model.graph import Graph, Operator, Subgraph, Tensor, TensorType
from predictor.model.requantization import (
    convolution_factors,
    single_factor,
    softmax_scaling,
)

_SOFTMAX_LEAST_SCALE = 2.0**-26
_MAX_SOFTMAX_ROW = 4095


# Operators with weights.


def _bias(node: LayerNode, channels: int) -> None:
    node.ensure(len(node.op.inputs) in (2, 3), f"it has {len(node.op.inputs)} inputs, not 2 or 3")
    bias = node.optional(2)
    if bias is not None:
        node.ensure(
            bias.type == TensorType.INT32, f"the bias is {bias.type.name}; these kernels take INT32"
        )
        node.ensure(bias.elements == channels, f"the bias has {bias.elements} elements")


def _channel_scales(node: LayerNode, filter: Tensor, channels: int) -> tuple[float, ...]:
    scales = node.quantization(filter).scales
    node.ensure(
        len(scales) in (1, channels),
        f"the filter has {len(scales)} scales, not one or one for each of {channels} channels",
    )
    return scales


def _tables(
    node: LayerNode, input: Tensor, filter: Tensor, output: Tensor, channels: int
) -> Tables:
    """One multiplier and shift for each output channel."""
    scales = _channel_scales(node, filter, channels)
    ends = node.activations(input).scale, node.activations(output).scale
    factors = convolution_factors(ends[0], scales, ends[1], channels)
    pair_of = {factor: node.multiplier(factor) for factor in dict.fromkeys(factors)}
    multipliers, shifts = zip(*(pair_of[factor] for factor in factors), strict=True)
    return Tables(multipliers, shifts, node.tables)


def _offsets(node: LayerNode, input: Tensor, output: Tensor) -> tuple[int, int]:
    return -node.activations(input).zero_point, node.activations(output).zero_point


def _convolution(node: LayerNode, is_depthwise: bool) -> WeightedOptions:
    table = "DepthwiseConv2DOptions" if is_depthwise else "Conv2DOptions"
    input, filter, output = node.input(0), node.input(1), node.output()
    bits = node.same_bits(input, output)
    dims = node.dims(input), node.dims(filter), node.dims(output)
    channels = dims[2][3]
    _bias(node, channels)
    node.ensure(dims[0][0] == dims[2][0], "input and output differ in batch size")
    multiplier = 1
    if is_depthwise:
        multiplier = channels // dims[0][3]
        fits = dims[1][0] == 1 and dims[1][3] == channels == multiplier * dims[0][3]
    else:
        groups, rest = divmod(dims[0][3], dims[1][3])
        fits = dims[1][0] == channels and rest == 0 and channels % groups == 0
    node.ensure(fits, "the channels of input, filter and output do not belong together")
    window = node.window(table, dims[0][1:3], dims[1][1:3], is_dilated=True)
    return WeightedOptions(
        node.op.name,
        bits,
        node.bits(filter),
        *dims,
        *_offsets(node, input, output),
        node.fused_activation(table, output),
        _tables(node, input, filter, output, channels),
        *window,
        multiplier,
    )


def _conv_2d(node: LayerNode) -> DeviceOptions:
    return _convolution(node, is_depthwise=False)


def _depthwise_conv_2d(node: LayerNode) -> DeviceOptions:
    return _convolution(node, is_depthwise=True)


def _fully_connected(node: LayerNode) -> DeviceOptions:
    input, filter, output = node.input(0), node.input(1), node.output()
    bits = node.same_bits(input, output)
    node.ensure(
        min(len(filter.shape), len(output.shape), filter.elements, output.elements) >= 1,
        "the filter or the output has no elements",
    )
    channels, depth = output.shape[-1], filter.shape[-1]
    batches = prod(output.shape[:-1])
    node.ensure(
        filter.elements == channels * depth and input.elements == batches * depth,
        f"input {list(input.shape)}, filter {list(filter.shape)} and output {list(output.shape)} "
        "do not belong together",
    )
    _bias(node, channels)
    quantization = node.quantization(filter)
    node.ensure(not any(quantization.zero_points), "the filter needs the zero point 0")
    tables: Tables
    if quantization.is_per_channel:
        tables = _tables(node, input, filter, output, channels)
    else:
        ends = node.activations(input).scale, node.activations(output).scale
        factor = single_factor(ends[0], quantization.scale, ends[1])
        multiplier, shift = node.multiplier(factor)
        tables = Tables((multiplier,), (shift,))
    return WeightedOptions(
        node.op.name,
        bits,
        node.bits(filter),
        (batches, 1, 1, depth),
        (channels, 1, 1, depth),
        (batches, 1, 1, channels),
        *_offsets(node, input, output),
        node.fused_activation("FullyConnectedOptions", output),
        tables,
    )


# Operators without weights.


def _same_scale(node: LayerNode, input: Tensor, output: Tensor) -> None:
    first, second = node.activations(input), node.activations(output)
    node.ensure(
        abs(first.scale - second.scale) <= 1e-6 and first.zero_point == second.zero_point,
        "input and output differ in scale or zero point",
    )


def _pool(node: LayerNode) -> DeviceOptions:
    table = "Pool2DOptions"
    input, output = node.input(0), node.output()
    bits = node.same_bits(input, output)
    _same_scale(node, input, output)
    dims = node.dims(input), node.dims(output)
    kernel = node.option(table, "filter_height"), node.option(table, "filter_width")
    node.ensure(dims[0][::3] == dims[1][::3], "input and output differ in batch size or channels")
    stride, padding, _ = node.window(table, dims[0][1:3], kernel, is_dilated=False)
    for axis in (0, 1):
        last = (dims[1][1 + axis] - 1) * stride[axis] - padding[axis]
        node.ensure(
            0 <= padding[axis] < kernel[axis] and last < dims[0][1 + axis],
            f"a window of {list(kernel)} holds no element of the input",
        )
    return PoolOptions(
        node.op.name,
        bits,
        dims[0],
        kernel,
        dims[1],
        stride,
        padding,
        node.fused_activation(table, output),
    )


def _add(node: LayerNode) -> DeviceOptions:
    first, second, output = node.input(0), node.input(1), node.output()
    bits = node.same_bits(first, output)
    node.same_bits(second, output)
    if first.shape != second.shape:
        node.ensure(bits == 8, "the kernel does not broadcast INT4 inputs")
        return elementwise_layers.pair(node)
    return elementwise_layers.sum_options(node, first, second, output)


def _softmax(node: LayerNode) -> DeviceOptions:
    input, output = node.input(0), node.output()
    bits = node.bits(input)
    target = node.quantization(output)
    node.ensure(
        output.type == TensorType.INT8 and target.zero_point == -128 and target.scale == 1 / 256,
        "the output must be INT8 with the scale 1/256 and the zero point -128",
    )
    node.ensure(
        len(input.shape) >= 1 and 0 < input.shape[-1] <= _MAX_SOFTMAX_ROW and input.elements > 0,
        f"rows of {list(input.shape)[-1:]} elements are out of range (1 to {_MAX_SOFTMAX_ROW})",
    )
    node.ensure(input.elements == output.elements, "input and output differ in size")
    beta = float(node.op.options_in("SoftmaxOptions").get("beta", 0.0))
    scale = node.activations(input).scale
    node.ensure(
        beta * scale > _SOFTMAX_LEAST_SCALE,
        f"beta {beta:g} x input scale {scale:g} must be above 2^-26",
    )
    row = input.shape[-1]
    return SoftmaxOptions(bits, input.elements // row, row, *softmax_scaling(beta, scale))


def _pad(node: LayerNode) -> DeviceOptions:
    input, paddings, output = node.input(0), node.input(1), node.output()
    bits = node.same_bits(input, output)
    rank = len(input.shape)
    node.ensure(
        paddings.data is not None
        and paddings.type == TensorType.INT32
        and paddings.data.nbytes == 8 * rank
        and 1 <= rank <= 4
        and min(input.shape) > 0,
        "the paddings must be constant INT32, two for each of at most 4 dimensions",
    )
    assert paddings.data is not None
    values = struct.unpack(f"<{2 * rank}i", paddings.data)
    before, after = values[0::2], values[1::2]
    padded = tuple(sum(sizes) for sizes in zip(before, input.shape, after, strict=True))
    node.ensure(
        min(values) >= 0 and output.shape == padded, "the output is not the input with its paddings"
    )
    constant = node.optional(2)
    value = node.activations(output).zero_point
    if constant is not None:
        node.ensure(constant.data is not None, "the padding value must be constant")
        assert constant.data is not None
        value = int.from_bytes(bytes(constant.data[:1]), "little", signed=True)
        value = value if bits == 8 else ((value & 15) ^ 8) - 8
    return PadOptions(
        bits, value, _four(input.shape, 1), _four(before, 0), _four(after, 0)
    )  # fmt: skip


def _four(values: tuple[int, ...], filler: int) -> Dims:
    n, h, w, c = (filler,) * (4 - len(values)) + tuple(values)
    return n, h, w, c


def _clamp(node: LayerNode) -> DeviceOptions:
    input, output = node.input(0), node.output()
    bits = node.same_bits(input, output)
    first, second = node.quantization(input), node.quantization(output)
    if bits == 8 and (first.scale, first.zero_point) != (second.scale, second.zero_point):
        return elementwise_layers.lookup(node)
    _same_scale(node, input, output)
    function = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}[node.op.name]
    return ClampOptions(bits, output.elements, node.bounds(function, output))


def _quantize(node: LayerNode) -> DeviceOptions:
    input, output = node.input(0), node.output()
    bits = node.bits(input), node.bits(output)
    node.ensure(bits[0] != bits[1], "it needs one INT8 and one INT4 tensor")
    node.ensure(input.elements == output.elements > 0, "input and output differ in size")
    source, target = node.activations(input), node.activations(output)
    factor = quotient(single(source.scale), single(target.scale))
    multiplier = node.multiplier(factor)
    return RequantizeOptions(
        *bits, output.elements, -source.zero_point, *multiplier, target.zero_point
    )


_LAYERS: Mapping[str, Callable[[LayerNode], DeviceOptions]] = {
    "ADD": _add,
    "AVERAGE_POOL_2D": _pool,
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "HARD_SWISH": elementwise_layers.lookup,
    "LEAKY_RELU": elementwise_layers.lookup,
    "LOGISTIC": elementwise_layers.lookup,
    "MAXIMUM": elementwise_layers.pair,
    "MAX_POOL_2D": _pool,
    "MEAN": elementwise_layers.mean,
    "MINIMUM": elementwise_layers.pair,
    "MUL": elementwise_layers.pair,
    "PAD": _pad,
    "PADV2": _pad,
    "QUANTIZE": _quantize,
    "RELU": _clamp,
    "RELU6": _clamp,
    "RELU_N1_TO_1": _clamp,
    "SOFTMAX": _softmax,
    "SUB": elementwise_layers.pair,
    "TANH": elementwise_layers.lookup,
}


def has_int4_activations(graph: Graph) -> bool:
    """Whether operators compute INT4 tensors, for which TFLM has no kernels."""
    return any(
        tensor.type == TensorType.INT4 and not tensor.is_constant
        for subgraph in graph.subgraphs
        for tensor in subgraph.tensors
    )


def options_of(subgraph: Subgraph, op: Operator, tables: str = "flash") -> DeviceOptions:
    """What the kernels take for a builtin operator.

    Args:
        tables: where requantisation tables shall lie, "flash" or "arena".

    Raises:
        RefusedError: there is no kernel for this operator, its types or its parameters.
    """
    node = LayerNode(subgraph, op, tables)
    layer = None if op.is_custom else _LAYERS.get(op.name)
    if layer is None:
        node.refuse("there is no INT8 or INT4 kernel for it")
    return layer(node)


def drop_in_options_of(subgraph: Subgraph, op: Operator) -> DeviceOptions:
    """The same where a builtin operator is registered with one kernel for all that it can be:
    activations by a table, ADD without repeated inputs.

    Raises:
        RefusedError: there is no kernel for this operator, its types or its parameters.
    """
    node = LayerNode(subgraph, op, "flash")
    if op.name in ACTIVATIONS:
        return elementwise_layers.lookup(node)
    found = options_of(subgraph, op)
    if op.name == "ADD" and not isinstance(found, AddOptions):
        node.refuse("the kernel does not broadcast inputs")
    return found
