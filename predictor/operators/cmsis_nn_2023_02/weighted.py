"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED. Mirrors kernels/cmsis_nn/conv.cc,
depthwise_conv.cc and fully_connected.cc, with the buffer sizes of CMSIS-NN 11.0.0 (DSP extension).
"""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.around import after
from predictor.operators.cmsis_nn_2023_02 import register
from predictor.operators.cmsis_nn_2024_05.weighted import request_connected_buffers
from predictor.operators.context import NodeContext
from predictor.operators.convolution import allocate_requantization, check_4d
from predictor.operators.parsing import options_of
from predictor.operators.quantized import INT16_BYTES, ensure_symmetric
from predictor.operators.reference.conv import calculate_op_data
from predictor.operators.reference_2023_02.weighted import check_hybrid, need_bias, unpack

_INT8, _INT16 = TensorType.INT8, TensorType.INT16
_FAST_INT16_TAPS = 512
"""Convolutions of int16 with fewer have a fast kernel, which copies two columns."""


def _prepare_conv(ctx: NodeContext) -> None:
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    check_4d(ctx, input, filter, output)
    unpack(ctx, filter)
    channels, height, width = ctx.shape(filter)[:3]
    if input.type in (_INT8, _INT16):
        allocate_requantization(ctx, channels)
    need_bias(ctx)
    calculate_op_data(ctx)
    if input.type == _INT16:
        ensure_symmetric(ctx, input, output)
    taps = height * width * ctx.shape(input)[3]
    if _has_columns(ctx, input, (height, width), taps):
        ctx.scratch(2 * taps * INT16_BYTES)
    check_hybrid(ctx, input, filter)


def _has_columns(ctx: NodeContext, input: Tensor, kernel: tuple[int, int], taps: int) -> bool:
    """Whether the kernel that runs copies two columns of the input."""
    options = options_of(ctx, "Conv2DOptions")
    is_plain = _is_plain(ctx, "Conv2DOptions")
    if input.type == _INT8:
        strides = options.get("stride_h", 0), options.get("stride_w", 0)
        return not (kernel == strides == (1, 1) and is_plain)
    return input.type == _INT16 and taps < _FAST_INT16_TAPS and is_plain


def _is_plain(ctx: NodeContext, table: str) -> bool:
    """Whether it has no dilation."""
    options = options_of(ctx, table)
    return (options.get("dilation_h_factor", 0), options.get("dilation_w_factor", 0)) == (1, 1)


def _request_column(ctx: NodeContext) -> None:
    """The fast kernel for int8 (batch 1, depth multiplier 1, no dilation) widens a column."""
    input, filter = ctx.need_input(0, temp=False), ctx.need_input(1, temp=False)
    output = ctx.need_output(0, temp=False)
    (batches, _, _, channels), (_, height, width) = ctx.shape(input), ctx.shape(filter)[:3]
    is_fast = channels == ctx.shape(output)[3] and batches == 1
    if input.type == _INT8 and is_fast and _is_plain(ctx, "DepthwiseConv2DOptions"):
        ctx.scratch(channels * height * width * INT16_BYTES)


def _request_buffers(ctx: NodeContext) -> None:
    input, filter = ctx.need_input(0, temp=False), ctx.need_input(1, temp=False)
    request_connected_buffers(ctx, input, filter, ctx.need_output(0, temp=False))


register("CONV_2D", prepare=_prepare_conv)
register("DEPTHWISE_CONV_2D", around=after(_request_column))
register("FULLY_CONNECTED", around=after(_request_buffers))
