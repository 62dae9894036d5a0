"""DEPTHWISE_CONV_2D with CMSIS-NN. Mirrors kernels/cmsis_nn/depthwise_conv.cc.

Access order and loops are those of arm_depthwise_conv_wrapper_s8.c and the kernels it chooses from
(DSP extension, no MVE).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from predictor.model.graph import Tensor, TensorType
from predictor.operators.access_order import InputOverlap, Windows, by_position
from predictor.operators.checks import ensure_same_type
from predictor.operators.cmsis_nn import register
from predictor.operators.cmsis_nn.buffers import depthwise_wrapper_bytes, has_dsp
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    allocate_requantization,
    check_4d,
    check_filter_scales,
    check_hybrid,
    expect_4d,
)
from predictor.operators.loops import CACHED, Loops, cycle, misaligned
from predictor.operators.loops.c_library import fill
from predictor.operators.loops.windows import Axis, Taps, filter_axes
from predictor.operators.parsing import options_of
from predictor.operators.quantized import ensure_symmetric
from predictor.operators.reference import depthwise_conv
from predictor.operators.reference.depthwise_conv import (
    BY_POSITION,
    CHANNELS,
    OPTIONS,
    TYPES,
    add_nested,
    calculate_op_data,
    multiplied_windows,
    nested_loops,
)

_TILE = 4
"""Channels that kernels with SIMD instructions compute together."""


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
            ensure_symmetric(ctx, input, output)
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


def distance(windows: Windows, multiplier: int) -> int:
    """How far writes run ahead of reads, in elements, for the kernel that the wrapper chooses.

    With one output per input channel those for 3x3 filters take four channels at a time straight
    from the input, others copy a whole position to the scratch buffer: neither writes ahead.
    """
    is_plain = windows.images == 1 and windows.dilation == (1, 1)
    if multiplier == 1 and is_plain:
        return by_position(windows)
    if multiplier % _TILE == 0 and is_plain:
        return _tiles_distance(windows, multiplier)
    return depthwise_conv.distance(windows, multiplier)


def _tiles_distance(windows: Windows, multiplier: int) -> int:
    """Four outputs of one input channel at a time."""
    last = windows.in_channels - 1
    return by_position(windows, last * multiplier + multiplier - _TILE - last)


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
    return (InputOverlap(0, distance(*found), BY_POSITION),)


def _loops(ctx: NodeContext) -> Loops | None:
    input, filter = ctx.input(0), ctx.input(1)
    if input is None or filter is None:
        return None
    if (input.type, filter.type) != (TensorType.INT8, TensorType.INT8):
        is_float = input.type == TensorType.FLOAT32
        return depthwise_conv.loops(ctx) if is_float else nested_loops(ctx, "cmsis_depthwise")
    found = filter_axes(ctx, OPTIONS)
    if found is None:
        return None
    batches, _, _, channels = ctx.shape(input)
    return _loops_s8(batches, channels, ctx.shape(filter)[3] // channels, *found).copy()


@lru_cache(maxsize=CACHED)
def _loops_s8(batches: int, channels: int, multiplier: int, rows: Axis, columns: Axis) -> Loops:
    made = Loops()
    is_plain = (batches, rows.dilation, columns.dilation) == (1, 1, 1)
    if is_plain and multiplier == 1:
        if (rows.window, columns.window) == (3, 3) and rows.pad <= 1 and columns.pad <= 1:
            _depthwise_3x3(made, channels, rows, columns)
        else:
            _depthwise_opt(made, channels, rows, columns)
    elif is_plain and multiplier % 4 == 0:
        _depthwise_mult_4(made, channels, multiplier, rows, columns)
    else:
        pixels = batches * rows.out * columns.out
        made.add("depthwise_generic", call=1, channel=pixels * channels)
        add_nested(made, "depthwise_generic", batches, channels * multiplier, rows, columns)
    return made


def _depthwise_3x3(made: Loops, channels: int, rows: Axis, columns: Axis) -> None:
    """``arm_depthwise_conv_3x3_s8``: 4 channels at a time; the middle tap is always taken."""
    blocks, rest = divmod(channels, 4)
    lines = rows.inside()
    taps = [0, 0, 0]
    for _, tap, _, count in columns.taps():
        taps[tap] += count
    # Where the right tap lies outside, the kernel asks for the input's width, as for the left.
    taps[1] = columns.out
    pixels = rows.out * columns.out
    made.add("depthwise_3x3", call=1, line=rows.out, pixel=pixels)
    for name, count in (("block", blocks), ("single", rest)):
        made.add(
            f"depthwise_3x3.{name}",
            result=count * pixels,
            tap_line=count * lines * columns.out,
            left=count * lines * taps[0],
            right=count * lines * taps[2],
            some=pixels if count else 0,
        )
    if channels % 4:
        made.unaligned_loads += blocks * _misaligned_taps(channels, rows, columns)


def _misaligned_taps(channels: int, rows: Axis, columns: Axis) -> int:
    """Loads of a word of input or weights that are not aligned, for one block of channels."""
    y_residues, x_residues = [0] * 4, [0] * 4
    kernel_rows, kernel_columns = [0] * 3, [0] * 3
    for _, tap, position, count in rows.taps():
        y_residues[position * columns.size * channels % 4] += count
        kernel_rows[tap] += count
    sides = (item for item in columns.taps() if item.tap != 1)
    middle = (
        Taps(out, 1, out * columns.stride - columns.pad + 1, times)
        for out, times in cycle(columns.out)
    )
    for _, tap, position, count in (*sides, *middle):
        x_residues[position * channels % 4] += count
        kernel_columns[tap] += count
    inputs = sum(y_residues[y] * x_residues[x] for y in range(4) for x in range(4) if (y + x) % 4)
    weights = sum(
        kernel_rows[y] * kernel_columns[x]
        for y in range(3)
        for x in range(3)
        if (3 * y + x) * channels % 4
    )
    return inputs + weights


def _depthwise_opt(made: Loops, channels: int, rows: Axis, columns: Axis) -> None:
    """``arm_depthwise_conv_s8_opt``: a column of 16-bit values, then 4 channels at a time."""
    blocks, rest = divmod(channels, 4)
    pixels = rows.out * columns.out
    taps = rows.window * columns.window
    lines = rows.inside()
    inside = lines * columns.inside()
    prefix = "depthwise_opt"
    made.add(prefix, call=1, pixel=pixels, line=lines * columns.out)
    made.add(prefix, inside=inside, quad=inside * blocks, single=inside * rest)
    fill(made, lines * (columns.out * columns.window - columns.inside()), 2 * channels)
    size = 2 * columns.window * channels
    for outside, count in _outside(rows).items():
        fill(made, count * columns.out, outside * size)
    made.add(
        f"{prefix}.block",
        result=pixels * blocks,
        pair=pixels * blocks * (taps // 2),
        odd=pixels * blocks * (taps % 2),
    )
    made.add(f"{prefix}.rest", result=pixels * rest, tap=pixels * rest * taps)
    if channels % 4:
        # Of the input, the widened column and the weights; each tap starts at its own multiple.
        x, y = _residues(columns, channels), _residues(rows, columns.size * channels)
        words = sum(y[a] * x[b] for a in range(4) for b in range(4) if (a + b) % 4)
        made.unaligned_loads += words * blocks
        weights = misaligned(taps // 2 * 2, channels)
        halves = 2 * (taps // 2) if channels % 2 else 0
        made.unaligned_loads += pixels * blocks * (weights + halves)


def _residues(axis: Axis, step: int) -> Counter[int]:
    """How many taps lie inside, by their address modulo 4; a position adds ``step`` to it."""
    found: Counter[int] = Counter()
    for _, _, position, count in axis.taps():
        found[position * step % 4] += count
    return found


def _outside(rows: Axis) -> Counter[int]:
    """How often so many rows of a window lie above the input, or below it."""
    found: Counter[int] = Counter()
    for out in rows.borders():
        first = out * rows.stride - rows.pad
        found.update((max(0, -first), max(0, first + rows.window - rows.size)))
    del found[0]
    return found


def _depthwise_mult_4(
    made: Loops, channels: int, multiplier: int, rows: Axis, columns: Axis
) -> None:
    """``depthwise_conv_s8_mult_4``: 4 outputs of a channel at a time."""
    pixels = rows.out * columns.out
    blocks = channels * (multiplier // 4)
    prefix = "depthwise_mult_4"
    made.add(prefix, call=1, pixel=pixels, channel=pixels * channels, block=pixels * blocks)
    made.add(prefix, line=blocks * rows.inside() * columns.out)
    made.add(prefix, tap=blocks * rows.inside() * columns.inside())


register("DEPTHWISE_CONV_2D", prepare=_prepare, overlap=_overlap, loops=_loops)
