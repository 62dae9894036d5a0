"""DEPTHWISE_CONV_2D. Mirrors kernels/depthwise_conv_common.cc, kernels/depthwise_conv.cc,
kernels/cmsis_nn/depthwise_conv.cc and CMSIS-NN's arm_depthwise_conv_get_buffer_sizes_s8.c and
_s4.c (DSP extension, no MVE)."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.model.graph import Tensor, TensorType
from predictor.operators import depthwise_order as order
from predictor.operators.access_order import InputOverlap, windows_of
from predictor.operators.checks import ensure_same_type, need_counts
from predictor.operators.cmsis_buffers import depthwise_wrapper_bytes, has_dsp
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    allocate_requantization,
    check_4d,
    check_filter_scales,
    check_hybrid,
    expect_4d,
    populate_quantization,
)
from predictor.operators.evaluation import allocates
from predictor.operators.loops.depthwise import loops
from predictor.operators.parsing import fused_activation, options_of
from predictor.operators.quantized import zero_point
from predictor.operators.reference import register
from predictor.operators.registry import OpCount
from predictor.operators.sizes import RUNTIME_TYPE_BYTES

_OPTIONS = "DepthwiseConv2DOptions"
_CHANNELS = 3
"""The dimension of the filter that holds the output channels."""
_TYPES = (
    (TensorType.FLOAT32, TensorType.FLOAT32),
    (TensorType.INT16, TensorType.INT8),
    (TensorType.INT8, TensorType.INT4),
    (TensorType.INT8, TensorType.INT8),
)


def count(ctx: NodeContext) -> OpCount:
    """One MAC for each tap (filter height x width) of each output element."""
    filter, output = ctx.input(1), ctx.output(0)
    if filter is None or output is None or len(ctx.shape(filter)) < 3:
        return OpCount()
    _, height, width = ctx.shape(filter)[:3]
    return OpCount(ctx.element_count(output) * height * width)


def _prepare(ctx: NodeContext) -> None:
    if ctx.kernels == "cmsis_nn":
        _prepare_cmsis_nn(ctx)
    else:
        _prepare_reference(ctx)


def calculate_op_data(ctx: NodeContext) -> None:
    """Mirrors ``CalculateOpDataDepthwiseConv``."""
    need_counts(ctx, (2, 3), 1)
    input, filter = ctx.need_input(0), ctx.need_input(1)
    bias = ctx.temp_input(2)
    output = ctx.need_output(0)
    if input.type != TensorType.FLOAT32:
        channels = ctx.shape(filter)[_CHANNELS]
        activation = fused_activation(ctx, _OPTIONS)
        populate_quantization(ctx, (input, filter, bias, output), channels, activation)
    # Having 3 inputs, TFLM frees the temporary tensor of the bias even if it got none; its count
    # of temporary buffers is wrong from then on, which it reports as an error.
    ctx.ensure(
        len(ctx.op.inputs) == 2 or bias is not None,
        "its bias is listed but omitted; leave it out of the inputs or give it a tensor",
    )


def _prepare_reference(ctx: NodeContext) -> None:
    """Mirrors ``DepthwiseConvPrepare``."""
    output, input, filter = ctx.need_output(0), ctx.need_input(0), ctx.need_input(1)
    expect_4d(ctx, input, output)
    check_4d(ctx, filter)
    channels = ctx.shape(filter)[_CHANNELS]
    allocate_requantization(ctx, channels)
    if input.type == TensorType.INT8:
        check_filter_scales(ctx, filter, channels)
    types = input.type, filter.type
    check_hybrid(ctx, input.type == filter.type or types in _TYPES, input, filter)
    if filter.type == TensorType.INT4:
        ctx.scratch(ctx.element_count(filter))
    calculate_op_data(ctx)
    if types not in _TYPES:
        ctx.fails_at_invoke(
            f"it does not run on {input.type.name} activations with {filter.type.name} weights"
        )


def _prepare_cmsis_nn(ctx: NodeContext) -> None:
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    check_hybrid(ctx, (input.type, filter.type) in _TYPES, input, filter)
    if input.type == TensorType.FLOAT32:
        expect_4d(ctx, input, filter, output)
    else:
        expect_4d(ctx, input, output)
        check_4d(ctx, filter)
        channels = ctx.shape(filter)[_CHANNELS]
        if input.type == TensorType.INT16:
            ctx.ensure(zero_point(input) == 0, "int16 input needs zero point 0")
            ctx.ensure(zero_point(output) == 0, "int16 output needs zero point 0")
        check_filter_scales(ctx, filter, channels)
        allocate_requantization(ctx, channels)
    calculate_op_data(ctx)
    if input.type == TensorType.INT8:
        buffer_bytes = _buffer_bytes(ctx, input, filter, output)
        if buffer_bytes > 0:
            ctx.scratch(buffer_bytes)


def _buffer_bytes(ctx: NodeContext, input: Tensor, filter: Tensor, output: Tensor) -> int:
    """What the wrapper of the weights' type asks for."""
    check_4d(ctx, input, output)
    in_shape, filter_shape, out_shape = ctx.shape(input), ctx.shape(filter), ctx.shape(output)
    batches, channels = min(in_shape[0], out_shape[0]), min(out_shape[3], filter_shape[3])
    return depthwise_wrapper_bytes(
        ctx.core,
        options_of(ctx, _OPTIONS),
        (batches, *in_shape[1:]),
        filter_shape,
        (*out_shape[:3], channels),
        filter.type == TensorType.INT4,
    )


def _overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    """The distance of the kernel that runs; of CMSIS-NN's those of int8 for DSP
    are known."""
    input, filter = ctx.input(0), ctx.input(1)
    if input is None or filter is None or len(ctx.shape(filter)) != 4:
        return ()
    _, height, width, _ = ctx.shape(filter)
    windows = windows_of(ctx, (height, width), _OPTIONS)
    if windows is None:
        return ()
    multiplier = options_of(ctx, _OPTIONS).get("depth_multiplier", 0)
    if multiplier < 1 or windows.out_channels != windows.in_channels * multiplier:
        return ()
    rule = "each position is finished before the next"
    if ctx.kernels != "cmsis_nn" or input.type == TensorType.FLOAT32:
        size = RUNTIME_TYPE_BYTES[input.type]
        return (InputOverlap(0, order.reference(windows, multiplier) * size, rule),)
    if (input.type, filter.type) != (TensorType.INT8, TensorType.INT8) or not has_dsp(ctx.core):
        return ()
    return (InputOverlap(0, order.cmsis_nn(windows, multiplier), rule),)


register(
    "DEPTHWISE_CONV_2D",
    params="TfLiteDepthwiseConvParams",
    init=allocates("ConvOpData"),
    prepare=_prepare,
    count=count,
    overlap=_overlap,
    loops=loops,
)
