"""DEPTHWISE_CONV_2D with CMSIS-NN. Mirrors kernels/cmsis_nn/depthwise_conv.cc."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.model.graph import Tensor, TensorType
from predictor.operators import depthwise_order as order
from predictor.operators.access_order import InputOverlap
from predictor.operators.checks import ensure_same_type
from predictor.operators.cmsis_buffers import depthwise_wrapper_bytes, has_dsp
from predictor.operators.cmsis_nn import register
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    allocate_requantization,
    check_4d,
    check_filter_scales,
    check_hybrid,
    expect_4d,
)
from predictor.operators.parsing import options_of
from predictor.operators.quantized import zero_point
from predictor.operators.reference import depthwise_conv
from predictor.operators.reference.depthwise_conv import (
    BY_POSITION,
    CHANNELS,
    OPTIONS,
    TYPES,
    calculate_op_data,
    multiplied_windows,
)


def _prepare(ctx: NodeContext) -> None:
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    check_hybrid(ctx, (input.type, filter.type) in TYPES, input, filter)
    if input.type == TensorType.FLOAT32:
        expect_4d(ctx, input, filter, output)
    else:
        expect_4d(ctx, input, output)
        check_4d(ctx, filter)
        channels = ctx.shape(filter)[CHANNELS]
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
        options_of(ctx, OPTIONS),
        (batches, *in_shape[1:]),
        filter_shape,
        (*out_shape[:3], channels),
        filter.type == TensorType.INT4,
    )


def _overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    """The distance of the kernels for the DSP extension; those of INT4 weights, of int16 and for
    other cores are not known."""
    input, filter, found = ctx.input(0), ctx.input(1), multiplied_windows(ctx)
    if input is None or filter is None or found is None:
        return ()
    if input.type == TensorType.FLOAT32:
        return depthwise_conv.overlap(ctx)
    if (input.type, filter.type) != (TensorType.INT8, TensorType.INT8) or not has_dsp(ctx.core):
        return ()
    return (InputOverlap(0, order.cmsis_nn(*found), BY_POSITION),)


register("DEPTHWISE_CONV_2D", prepare=_prepare, overlap=_overlap)
