"""DEPTHWISE_CONV_2D. Follows arm_depthwise_conv_wrapper_s8 of CMSIS-NN and
reference_ops::DepthwiseConv of TFLM."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from predictor.model.graph import TensorType
from predictor.operators.context import NodeContext
from predictor.operators.loops import CACHED, Loops, cycle, misaligned
from predictor.operators.loops.c_library import fill
from predictor.operators.loops.windows import Axis, Taps, axes

_OPTIONS = "DepthwiseConv2DOptions"


def loops(ctx: NodeContext) -> Loops | None:
    """Loops of the kernel that a depthwise convolution runs."""
    input, filter = ctx.input(0), ctx.input(1)
    if input is None or filter is None or len(ctx.shape(filter)) != 4:
        return None
    found = axes(ctx, _OPTIONS, ctx.shape(filter)[1:3])
    if found is None:
        return None
    rows, columns = found
    batches, channels = ctx.shape(input)[0], ctx.shape(input)[3]
    multiplier = ctx.shape(filter)[3] // channels if channels else 0
    if ctx.kernels == "cmsis_nn" and (input.type, filter.type) == (TensorType.INT8,) * 2:
        return _cmsis_s8(batches, channels, multiplier, rows, columns).copy()
    name = f"depthwise_{input.type.name.lower()}x{filter.type.name.lower()}"
    if ctx.kernels == "cmsis_nn" and input.type != TensorType.FLOAT32:
        name = f"cmsis_{name}"
    made = Loops()
    made.add(name, call=1, channel=batches * rows.out * columns.out * channels)
    _nested(made, name, batches, channels * multiplier, rows, columns)
    return made


@lru_cache(maxsize=CACHED)
def _cmsis_s8(batches: int, channels: int, multiplier: int, rows: Axis, columns: Axis) -> Loops:
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
        _nested(made, "depthwise_generic", batches, channels * multiplier, rows, columns)
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


def _nested(made: Loops, name: str, batches: int, outs: int, rows: Axis, columns: Axis) -> None:
    """Nested loops without blocks."""
    results = batches * rows.out * columns.out * outs
    inside = batches * outs * rows.inside() * columns.inside()
    made.add(
        name,
        pixel=batches * rows.out * columns.out,
        result=results,
        line=results * rows.window,
        line_inside=batches * outs * rows.inside() * columns.out,
        outside=results * rows.window * columns.window - inside,
        inside=inside,
    )
