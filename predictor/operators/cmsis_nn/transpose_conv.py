"""TRANSPOSE_CONV with CMSIS-NN. Mirrors kernels/cmsis_nn/transpose_conv.cc and
arm_transpose_conv_get_buffer_sizes_s8.c; loops are those of arm_transpose_conv_wrapper_s8.c (DSP
extension, no MVE)."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import INT32_MAX, ensure_same_type
from predictor.operators.cmsis_nn import register
from predictor.operators.cmsis_nn.buffers import column_bytes
from predictor.operators.cmsis_nn.matrix_products import columns_s16
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    Shape,
    allocate_requantization,
    check_4d,
    check_filter_scales,
    check_hybrid,
    expect_4d,
)
from predictor.operators.loops import Loops
from predictor.operators.loops.c_library import copy, fill
from predictor.operators.loops.windows import Axis
from predictor.operators.parsing import ACTIVATION_NONE, check_element_types, options_of
from predictor.operators.quantized import INT32_BYTES, INT64_BYTES
from predictor.operators.reference import transpose_conv
from predictor.operators.reference.transpose_conv import (
    OPTIONS,
    QUANTIZED,
    TYPES,
    calculate_op_data,
    output_axes,
)

_REVERSE_ABOVE_CHANNELS = 16
"""Input channels above which an ordinary convolution with a reversed filter runs."""


def _prepare(ctx: NodeContext) -> None:
    check_element_types(ctx, OPTIONS, "quantized_bias_type")
    output, input, filter = ctx.need_output(0), ctx.need_input(2), ctx.need_input(1)
    ensure_same_type(ctx, input, output)
    check_hybrid(ctx, (input.type, filter.type) in TYPES, input, filter)
    expect_4d(ctx, input, filter, output)
    ctx.ensure(len(ctx.shape(filter)) > 0, "the filter is a scalar")
    channels = ctx.shape(filter)[0]
    allocate_requantization(ctx, channels)
    if input.type == TensorType.INT8:
        _request_int8_buffers(ctx, input, filter, output)
    elif input.type == TensorType.INT16:
        ctx.scratch(ctx.element_count(output) * INT64_BYTES)
    if input.type in QUANTIZED:
        check_filter_scales(ctx, filter, channels)
    # The wrapper passes over the fused activation.
    calculate_op_data(ctx, input.type, channels, ACTIVATION_NONE)
    if input.type == TensorType.INT16 and ctx.input(3) is None:
        ctx.note(
            "int16 without bias: TFLM reads the bias's type through a null pointer, which is "
            "harmless only where address 0 holds the vector table"
        )


def _reverses(ctx: NodeContext, in_channels: int) -> bool:
    options = options_of(ctx, OPTIONS)
    strides = options.get("stride_h", 0), options.get("stride_w", 0)
    return max(strides) <= 2 and in_channels > _REVERSE_ABOVE_CHANNELS


def _request_int8_buffers(ctx: NodeContext, input: Tensor, filter: Tensor, output: Tensor) -> None:
    """The filter is reversed into a second buffer, which is requested even if it is empty."""
    check_4d(ctx, input, filter, output)
    in_shape, filter_shape, out_shape = ctx.shape(input), ctx.shape(filter), ctx.shape(output)
    in_channels = min(in_shape[3], filter_shape[3])
    out_channels = min(filter_shape[0], out_shape[3])
    if _reverses(ctx, in_channels):
        taps = filter_shape[2] * filter_shape[1] * in_channels
        ctx.scratch(column_bytes(ctx.core, taps))
        ctx.scratch(taps * out_channels)
    else:
        accumulators = _accumulator_bytes(ctx, in_shape, filter_shape, out_channels)
        ctx.ensure(
            0 <= accumulators <= INT32_MAX, f"its buffer of {accumulators} bytes cannot be had"
        )
        ctx.scratch(accumulators)
        ctx.scratch(0)


def _accumulator_bytes(
    ctx: NodeContext, in_shape: Shape, filter_shape: Shape, out_channels: int
) -> int:
    """int32 accumulators for the output rows that one input row reaches.

    CMSIS-NN takes the vertical stride for the horizontal one in one place.
    """
    options = options_of(ctx, OPTIONS)
    stride_h, stride_w = options.get("stride_h", 0), options.get("stride_w", 0)
    columns = (in_shape[2] - 1) * stride_w + max(filter_shape[2], stride_h)
    return int(columns * out_channels * max(filter_shape[1], stride_h) * INT32_BYTES)


def _loops(ctx: NodeContext) -> Loops | None:
    filter, input, output = ctx.input(1), ctx.input(2), ctx.output(0)
    if filter is None or input is None or output is None:
        return None
    if (input.type, filter.type) != (TensorType.INT8, TensorType.INT8):
        return transpose_conv.loops(ctx)
    found = output_axes(ctx)
    if found is None:
        return None
    (batches, _, _, channels), outs = ctx.shape(input), ctx.shape(output)[3]
    made = Loops()
    count = _reverse if _reverses(ctx, channels) else _scatter
    count(made, batches, channels, outs, found)
    return made


def _scatter(made: Loops, batches: int, channels: int, outs: int, axes: tuple[Axis, Axis]) -> None:
    """``arm_transpose_conv_s8``: each input pixel is spread over a buffer of output rows."""
    rows, columns = axes
    width = (columns.out - 1) * columns.stride + max(columns.window, columns.stride)
    height = max(rows.window, rows.stride)
    pixels = batches * rows.out * columns.out
    taps = batches * rows.inside() * columns.out * columns.window
    quads, rest = divmod(channels, 4)
    prefix = "transpose_conv_s8"
    made.add(prefix, call=1, row=batches * rows.out, pixel=pixels, tap=taps, dot=taps * outs)
    made.add(prefix, quad=taps * outs * quads, single=taps * outs * rest)
    written = batches * rows.size
    made.add(prefix, pixel_out=written * columns.size, result=written * columns.size * outs)
    copies = batches * width * (height + rows.out * rows.stride)
    made.add(prefix, bias=copies)
    copy(made, copies, 4 * outs)


def _reverse(made: Loops, batches: int, channels: int, outs: int, axes: tuple[Axis, Axis]) -> None:
    """``arm_convolve_s8`` with the filter reversed and the input spread out by the stride."""
    rows, columns = axes
    taps = rows.window * columns.window
    made.add("reverse_conv", call=1, filter=outs, copy=outs * taps)
    copy(made, outs * taps, channels)
    pixels = batches * rows.size * columns.size
    inside = batches * rows.inside() * columns.inside()
    lines = batches * rows.inside() * columns.size
    made.add("reverse_conv", pixel=pixels, line=lines, skipped=pixels * rows.window - lines)
    made.add("reverse_conv", inside=inside, outside=lines * columns.window - inside)
    fill(made, pixels, taps * channels)
    copy(made, inside, channels)
    size = taps * channels
    made.add("widen", call=pixels, quad=pixels * (size // 4), tap=pixels * (size % 4))
    made.add("widen", rest=pixels if size % 4 else 0)
    columns_s16(made, batches, rows.size * columns.size, outs, size, "columns_s16")


register("TRANSPOSE_CONV", prepare=_prepare, loops=_loops)
