"""TRANSPOSE_CONV. Mirrors kernels/transpose_conv.cc, kernels/cmsis_nn/transpose_conv.cc and
CMSIS-NN's arm_transpose_conv_get_buffer_sizes_s8.c (DSP extension, no MVE).

Input 0, the output's shape, is never read.
"""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import INT32_MAX, ensure_same_type, need_counts
from predictor.operators.cmsis_buffers import column_bytes
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    Shape,
    allocate_requantization,
    check_4d,
    check_filter_scales,
    check_hybrid,
    expect_4d,
    populate_quantization,
)
from predictor.operators.evaluation import allocates, runs_on
from predictor.operators.loops.transpose_conv import loops
from predictor.operators.parsing import (
    ACTIVATION_NONE,
    check_element_types,
    fused_activation,
    options_of,
)
from predictor.operators.quantized import INT32_BYTES, INT64_BYTES
from predictor.operators.reference import register
from predictor.operators.registry import OpCount

_OPTIONS = "TransposeConvOptions"
_QUANTIZED = (TensorType.INT8, TensorType.INT16)
_TYPES = (
    (TensorType.FLOAT32, TensorType.FLOAT32),
    (TensorType.INT16, TensorType.INT8),
    (TensorType.INT8, TensorType.INT8),
)
_REVERSE_ABOVE_CHANNELS = 16
"""Input channels above which CMSIS-NN runs an ordinary convolution with a reversed filter."""


def count(ctx: NodeContext) -> OpCount:
    """One MAC for each tap and output channel of each input element."""
    filter, input = ctx.input(1), ctx.input(2)
    if filter is None or input is None or len(ctx.shape(filter)) < 3:
        return OpCount()
    channels, height, width = ctx.shape(filter)[:3]
    return OpCount(ctx.element_count(input) * height * width * channels)


def _prepare(ctx: NodeContext) -> None:
    check_element_types(ctx, _OPTIONS, "quantized_bias_type")
    output, input, filter = ctx.need_output(0), ctx.need_input(2), ctx.need_input(1)
    types = input.type, filter.type
    if ctx.kernels == "cmsis_nn":
        ensure_same_type(ctx, input, output)
        check_hybrid(ctx, types in _TYPES, input, filter)
    else:
        check_hybrid(ctx, input.type == filter.type or types in _TYPES, input, filter)
    expect_4d(ctx, input, filter, output)
    ctx.ensure(len(ctx.shape(filter)) > 0, "the filter is a scalar")
    channels = ctx.shape(filter)[0]
    allocate_requantization(ctx, channels)
    if input.type == TensorType.INT8:
        _request_int8_buffers(ctx, input, filter, output)
    elif input.type == TensorType.INT16:
        ctx.scratch(ctx.element_count(output) * INT64_BYTES)
    if input.type in _QUANTIZED:
        check_filter_scales(ctx, filter, channels)
    _calculate_op_data(ctx, input.type, channels)
    if ctx.kernels != "cmsis_nn":
        runs_on(ctx, input, TensorType.FLOAT32, *_QUANTIZED)
        if input.type != output.type:
            ctx.fails_at_invoke(
                f"input is {input.type.name} but output is {output.type.name}",
            )


def _calculate_op_data(ctx: NodeContext, type: TensorType, channels: int) -> None:
    """Mirrors ``CalculateOpData``."""
    need_counts(ctx, (3, 4), 1)
    if type == TensorType.FLOAT32:
        return
    input, filter, bias = ctx.need_input(2), ctx.need_input(1), ctx.temp_input(3)
    output = ctx.need_output(0)
    # CMSIS-NN's wrapper passes over the fused activation.
    activation = ACTIVATION_NONE
    if ctx.kernels != "cmsis_nn":
        activation = fused_activation(ctx, _OPTIONS)
    populate_quantization(ctx, (input, filter, bias, output), channels, activation)
    if type != TensorType.INT16:
        return
    if bias is None and ctx.kernels == "cmsis_nn":
        ctx.note(
            "int16 without bias: TFLM reads the bias's type through a null pointer, which is "
            "harmless only where address 0 holds the vector table"
        )
    if bias is not None and bias.type == TensorType.INT16:
        ctx.scratch(ctx.element_count(bias) * INT64_BYTES)


def _request_int8_buffers(ctx: NodeContext, input: Tensor, filter: Tensor, output: Tensor) -> None:
    """An int32 accumulator for each output in the reference kernel, CMSIS-NN's buffers else.

    CMSIS-NN reverses the filter into a second buffer, which is requested even if it is empty.
    """
    if ctx.kernels != "cmsis_nn":
        ctx.scratch(ctx.element_count(output) * INT32_BYTES)
        return
    check_4d(ctx, input, filter, output)
    in_shape, filter_shape, out_shape = ctx.shape(input), ctx.shape(filter), ctx.shape(output)
    options = options_of(ctx, _OPTIONS)
    strides = options.get("stride_h", 0), options.get("stride_w", 0)
    in_channels = min(in_shape[3], filter_shape[3])
    out_channels = min(filter_shape[0], out_shape[3])
    if max(strides) <= 2 and in_channels > _REVERSE_ABOVE_CHANNELS:
        taps = filter_shape[2] * filter_shape[1] * in_channels
        ctx.scratch(column_bytes(ctx.core, taps))
        ctx.scratch(taps * out_channels)
    else:
        accumulators = _accumulator_bytes(in_shape, filter_shape, out_channels, strides)
        ctx.ensure(
            0 <= accumulators <= INT32_MAX, f"its buffer of {accumulators} bytes cannot be had"
        )
        ctx.scratch(accumulators)
        ctx.scratch(0)


def _accumulator_bytes(
    in_shape: Shape, filter_shape: Shape, out_channels: int, strides: tuple[int, int]
) -> int:
    """int32 accumulators for the output rows that one input row reaches.

    CMSIS-NN takes the vertical stride for the horizontal one in one place.
    """
    stride_h, stride_w = strides
    columns = (in_shape[2] - 1) * stride_w + max(filter_shape[2], stride_h)
    return columns * out_channels * max(filter_shape[1], stride_h) * INT32_BYTES


register(
    "TRANSPOSE_CONV",
    params="TfLiteTransposeConvParams",
    init=allocates("TransposeConvOpData"),
    prepare=_prepare,
    count=count,
    loops=loops,
)
