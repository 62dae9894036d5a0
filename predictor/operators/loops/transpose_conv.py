"""TRANSPOSE_CONV. Follows arm_transpose_conv_wrapper_s8 of CMSIS-NN and
reference_ops::TransposeConv of TFLM."""

from __future__ import annotations

from predictor.model.geometry import padding_of
from predictor.model.graph import TensorType
from predictor.operators.context import NodeContext
from predictor.operators.loops import Loops
from predictor.operators.loops.c_library import copy, fill
from predictor.operators.loops.matmul import columns_s16
from predictor.operators.loops.windows import Axis, is_of_sane_size
from predictor.operators.parsing import options_of

_FILTER, _INPUT = 1, 2
_REVERSE_ABOVE_CHANNELS = 16


def loops(ctx: NodeContext) -> Loops | None:
    """Loops of the kernel that a transposed convolution runs."""
    filter, input, output = ctx.input(_FILTER), ctx.input(_INPUT), ctx.output(0)
    if filter is None or input is None or output is None:
        return None
    in_shape, out_shape, filter_shape = ctx.shape(input), ctx.shape(output), ctx.shape(filter)
    if {len(in_shape), len(out_shape), len(filter_shape)} != {4}:
        return None
    options = options_of(ctx, "TransposeConvOptions")
    padding = padding_of(options, out_shape[1:3], filter_shape[1:3])
    strides = options.get("stride_h", 1), options.get("stride_w", 1)
    pads = padding.height, padding.width
    # Seen from its output, the operator is a window of the filter's size on the larger image.
    rows, columns = (
        Axis(out_shape[1 + i], filter_shape[1 + i], in_shape[1 + i], strides[i], 1, pads[i])
        for i in range(2)
    )
    if min(*strides, *in_shape, *out_shape) < 1 or not is_of_sane_size(ctx.state, rows, columns):
        return None
    channels, outs, batches = in_shape[3], out_shape[3], in_shape[0]
    made = Loops()
    if ctx.kernels == "cmsis_nn" and (input.type, filter.type) == (TensorType.INT8,) * 2:
        if max(strides) <= 2 and channels > _REVERSE_ABOVE_CHANNELS:
            _reverse(made, batches, channels, outs, (rows, columns))
        else:
            _scatter(made, batches, channels, outs, (rows, columns))
        return made
    name = f"transpose_conv_{input.type.name.lower()}"
    inputs = batches * rows.out * columns.out * channels
    inside = batches * channels * outs * rows.inside() * columns.inside()
    taps = inputs * rows.window * columns.window
    results = batches * rows.size * columns.size * outs
    made.add(name, call=1, input=inputs, line=inputs * rows.window, tap=taps)
    made.add(name, inside=inside, outside=taps * outs - inside, result=results)
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
