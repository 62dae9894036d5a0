"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED. Mirrors kernels/cmsis_nn/conv.cc,
depthwise_conv.cc and fully_connected.cc, with the buffer sizes of CMSIS-NN 11.0.0, which are those
of 10.1.2.
"""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.around import after
from predictor.operators.cmsis_nn.buffers import MVE_DEPTHWISE_BLOCK, has_dsp, has_mve
from predictor.operators.cmsis_nn_2023_02 import register
from predictor.operators.cmsis_nn_2024_05.weighted import UNLOOKED, request_connected_buffers
from predictor.operators.context import NodeContext
from predictor.operators.convolution import allocate_requantization, check_4d
from predictor.operators.parsing import options_of
from predictor.operators.quantized import INT16_BYTES, ensure_symmetric
from predictor.operators.reference.conv import calculate_op_data
from predictor.operators.reference_2023_02.weighted import (
    check_hybrid,
    need_bias,
    prepare_connected,
    unpack,
)
from predictor.operators.reference_2024_05.weighted import check_unrefused
from predictor.operators.sizes import align_up

_INT8, _INT16 = TensorType.INT8, TensorType.INT16
_FAST_INT16_TAPS = 512
"""Convolutions of int16 with fewer have a fast kernel for the DSP extension."""
_MVE_COLUMNS, _MVE_LANES = 4, 8


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
    size_bytes = _column_bytes(ctx, input, (height, width), ctx.shape(output)[2])
    if size_bytes:
        ctx.scratch(size_bytes)
    check_hybrid(ctx, input, filter)


def _column_bytes(ctx: NodeContext, input: Tensor, kernel: tuple[int, int], out_width: int) -> int:
    """What the kernel that runs copies of the input: two columns, with MVE four."""
    options = options_of(ctx, "Conv2DOptions")
    is_plain = _is_plain(ctx, "Conv2DOptions")
    shape = ctx.shape(input)
    taps = kernel[0] * kernel[1] * shape[3]
    if input.type == _INT16:
        is_fast = has_dsp(ctx.core) and taps < _FAST_INT16_TAPS and is_plain
        return 2 * taps * INT16_BYTES if is_fast else 0
    strides = options.get("stride_h", 0), options.get("stride_w", 0)
    if input.type != _INT8 or (kernel == strides == (1, 1) and is_plain):
        return 0
    if not has_mve(ctx.core):
        return 2 * taps * INT16_BYTES
    is_row = shape[1] == kernel[0] == options.get("dilation_w_factor", 0) == 1
    return 0 if is_row and out_width % 4 == 0 else _MVE_COLUMNS * align_up(taps, _MVE_LANES)


def _is_plain(ctx: NodeContext, table: str) -> bool:
    """Whether it has no dilation."""
    options = options_of(ctx, table)
    return (options.get("dilation_h_factor", 0), options.get("dilation_w_factor", 0)) == (1, 1)


def _request_column(ctx: NodeContext) -> None:
    """The fast kernel for int8 (batch 1, depth multiplier 1, no dilation) widens a column, with
    MVE those of a block of channels."""
    input, filter = ctx.need_input(0, temp=False), ctx.need_input(1, temp=False)
    output = ctx.need_output(0, temp=False)
    batches, _, _, channels = ctx.shape(input)[:4]
    height, width = ctx.shape(filter)[1:3]
    is_fast = channels == ctx.shape(output)[3] and batches == 1
    if input.type != _INT8 or not is_fast or not _is_plain(ctx, "DepthwiseConv2DOptions"):
        return
    if has_mve(ctx.core):
        ctx.scratch(_MVE_COLUMNS * MVE_DEPTHWISE_BLOCK * height * width)
    elif has_dsp(ctx.core):
        ctx.scratch(channels * height * width * INT16_BYTES)


def _prepare_connected(ctx: NodeContext) -> None:
    prepare_connected(ctx)
    input, filter = ctx.need_input(0, temp=False), ctx.need_input(1, temp=False)
    request_connected_buffers(ctx, input, filter, ctx.need_output(0, temp=False))
    check_unrefused(ctx, input, filter, *UNLOOKED)


register("CONV_2D", prepare=_prepare_conv)
register("DEPTHWISE_CONV_2D", around=after(_request_column))
register("FULLY_CONNECTED", prepare=_prepare_connected)
