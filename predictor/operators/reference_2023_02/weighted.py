"""Layers with weights when int4 weights were unpacked into a buffer, hybrid models were not refused
and a bias was needed. Mirrors kernels/conv_common.cc, depthwise_conv_common.cc,
fully_connected_common.cc, unidirectional_sequence_lstm.cc and cmsis_nn/conv.cc, depthwise_conv.cc,
fully_connected.cc, with the buffer sizes of CMSIS-NN 11.0.0 (DSP extension)."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import ensure_same_type
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    allocate_requantization,
    check_4d,
    check_filter_scales,
    check_multiplier,
)
from predictor.operators.fixed_point import check_activation_range
from predictor.operators.parsing import fused_activation, options_of
from predictor.operators.quantized import INT16_BYTES, zero_point
from predictor.operators.reference.conv import calculate_op_data as calculate_conv
from predictor.operators.reference.depthwise_conv import calculate_op_data as calculate_depthwise
from predictor.operators.reference.fully_connected import is_per_channel
from predictor.operators.reference_2023_02 import register
from predictor.operators.reference_2024_05.weighted import (
    as_reference,
    prepare_connected_buffers,
    today,
)

_FLOAT32, _INT4 = TensorType.FLOAT32, TensorType.INT4
_INT8, _INT16 = TensorType.INT8, TensorType.INT16
_RUNS = ((_FLOAT32, _FLOAT32), (_INT8, _INT8), (_INT8, _INT4), (_INT16, _INT8))
_FAST_INT16_TAPS = 512
"""Convolutions of int16 with fewer have a fast kernel, which copies two columns."""


def _unpack(ctx: NodeContext, filter: Tensor) -> None:
    if filter.type == _INT4:
        ctx.scratch(ctx.element_count(filter))


def _need_symmetric(ctx: NodeContext, *tensors: Tensor) -> None:
    for tensor in tensors:
        ctx.ensure(zero_point(tensor) == 0, f"int16 tensor {tensor.name!r} needs zero point 0")


def _need_bias(ctx: NodeContext) -> None:
    # TFLM frees the temporary tensor of the bias whether it got one or not, and then finds its
    # count of temporary buffers wrong.
    ctx.ensure(ctx.input(2) is not None, "it needs a bias")


def _check_hybrid(ctx: NodeContext, input: Tensor, filter: Tensor) -> None:
    if (input.type, filter.type) not in _RUNS:
        ctx.fails_at_invoke(
            f"hybrid models pass AllocateTensors, but {input.type.name} activations with "
            f"{filter.type.name} weights do not run"
        )


def _dilation(options: dict[str, int]) -> tuple[int, int]:
    return options.get("dilation_h_factor", 0), options.get("dilation_w_factor", 0)


def _prepare_conv(ctx: NodeContext) -> None:
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    check_4d(ctx, input, filter, output)
    is_cmsis_nn = ctx.kernels == "cmsis_nn"
    if is_cmsis_nn:
        _unpack(ctx, filter)
    channels, height, width = ctx.shape(filter)[:3]
    if input.type in (_INT8, _INT16) or not is_cmsis_nn:
        allocate_requantization(ctx, channels)
    _need_bias(ctx)
    calculate_conv(ctx)
    if not is_cmsis_nn:
        _unpack(ctx, filter)
    else:
        if input.type == _INT16:
            _need_symmetric(ctx, input, output)
        taps = height * width * ctx.shape(input)[3]
        if _has_columns(ctx, input, (height, width), taps):
            ctx.scratch(2 * taps * INT16_BYTES)
    _check_hybrid(ctx, input, filter)


def _has_columns(ctx: NodeContext, input: Tensor, kernel: tuple[int, int], taps: int) -> bool:
    """Whether the kernel that runs copies two columns of the input."""
    options = dict(options_of(ctx, "Conv2DOptions"))
    is_plain = _dilation(options) == (1, 1)
    if input.type == _INT8:
        strides = options.get("stride_h", 0), options.get("stride_w", 0)
        return not (kernel == strides == (1, 1) and is_plain)
    return input.type == _INT16 and taps < _FAST_INT16_TAPS and is_plain


def _prepare_depthwise(ctx: NodeContext) -> None:
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    check_4d(ctx, input, filter, output)
    _, height, width, channels = ctx.shape(filter)[:4]
    if input.type in (_INT8, _INT16):
        if input.type == _INT16:
            _need_symmetric(ctx, input, output)
        check_filter_scales(ctx, filter, channels)
        allocate_requantization(ctx, channels)
    _unpack(ctx, filter)
    _need_bias(ctx)
    calculate_depthwise(ctx)
    if ctx.kernels == "cmsis_nn" and input.type == _INT8:
        in_shape, out_channels = ctx.shape(input), ctx.shape(output)[3]
        is_plain = _dilation(dict(options_of(ctx, "DepthwiseConv2DOptions"))) == (1, 1)
        if in_shape[3] == out_channels and in_shape[0] == 1 and is_plain:
            ctx.scratch(in_shape[3] * height * width * INT16_BYTES)
    _check_hybrid(ctx, input, filter)


def _prepare_connected(ctx: NodeContext) -> None:
    input, filter, bias = ctx.need_input(0), ctx.need_input(1), ctx.temp_input(2)
    output = ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    if input.type != _FLOAT32:
        if is_per_channel(filter):
            ctx.note("it runs with the first scale alone: the result is wrong")
        else:
            check_multiplier(ctx, input, filter, bias, output)
        check_activation_range(ctx, fused_activation(ctx, "FullyConnectedOptions"), output)
    elif filter.type != _FLOAT32:
        ctx.note("hybrid: TFLM accepts and runs it, and what it computes is wrong")
    if ctx.kernels == "cmsis_nn":
        prepare_connected_buffers(ctx, input, filter, output)
    _unpack(ctx, filter)


def _prepare_as_reference(ctx: NodeContext) -> None:
    as_reference(ctx, today(ctx.op.name))


register("CONV_2D", prepare=_prepare_conv)
register("DEPTHWISE_CONV_2D", prepare=_prepare_depthwise)
register("FULLY_CONNECTED", prepare=_prepare_connected)
register("TRANSPOSE_CONV", prepare=_prepare_as_reference)
register("UNIDIRECTIONAL_SEQUENCE_LSTM", prepare=_prepare_as_reference)
