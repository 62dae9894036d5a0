"""CONV_2D. Follows arm_convolve_wrapper_s8 of CMSIS-NN and reference_ops::Conv of TFLM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from predictor.model.graph import TensorType
from predictor.operators.context import NodeContext
from predictor.operators.loops import CACHED, Loops, cycle
from predictor.operators.loops.c_library import copy, fill
from predictor.operators.loops.matmul import columns_s16, product_s8
from predictor.operators.loops.windows import Axis, axes

_OPTIONS = "Conv2DOptions"
MOST_PRODUCTS_S32 = 512
"""CMSIS-NN's ``MAX_COL_COUNT``: so many products of 16 and 8 bit fit a sum of 32 bit."""


def loops(ctx: NodeContext) -> Loops | None:
    """Loops of the kernel that a convolution runs."""
    input, filter = ctx.input(0), ctx.input(1)
    if input is None or filter is None or len(ctx.shape(filter)) != 4:
        return None
    filter_shape = ctx.shape(filter)
    found = axes(ctx, _OPTIONS, filter_shape[1:3])
    if found is None or not filter_shape[3]:
        return None
    rows, columns = found
    batches, channels = ctx.shape(input)[0], ctx.shape(input)[3]
    types = input.type, filter.type
    if ctx.kernels == "cmsis_nn" and types == (TensorType.INT8, TensorType.INT8):
        if channels % filter_shape[3]:
            return None
        return _cmsis_s8(batches, channels, filter_shape, rows, columns).copy()
    if ctx.kernels == "cmsis_nn" and types == (TensorType.INT16, TensorType.INT8):
        bias = ctx.input(2)
        name = f"int{64 if bias is not None and bias.type == TensorType.INT64 else 32}"
        return _cmsis_s16(name, batches, filter_shape, rows, columns).copy()
    name = f"conv_{input.type.name.lower()}x{filter.type.name.lower()}"
    if ctx.kernels == "cmsis_nn" and input.type != TensorType.FLOAT32:
        name = f"cmsis_{name}"
    return _reference(name, batches, filter_shape, rows, columns).copy()


@lru_cache(maxsize=CACHED)
def _cmsis_s8(
    batches: int, channels: int, filter_shape: tuple[int, ...], rows: Axis, columns: Axis
) -> Loops:
    made = Loops()
    outs, window_h, window_w, depth = filter_shape
    pixels = batches * rows.out * columns.out
    if pixels == 1:
        made.streamed_bytes = outs * window_h * window_w * depth
    is_plain = (rows.dilation, columns.dilation, channels) == (1, 1, depth)
    if (window_h, window_w) == (1, 1) and is_plain and rows.pad == columns.pad == 0:
        if (rows.stride, columns.stride) == (1, 1):
            made.add("conv_1x1_fast", call=1)
            product_s8(made, 1, batches * rows.size * columns.size, outs, depth, depth)
        else:
            made.add("conv_1x1", call=1, row=batches * rows.out)
            step = depth * columns.stride
            product_s8(made, batches * rows.out, columns.out, outs, depth, step)
        return made
    groups = channels // depth
    made.add("conv_s8", call=1, group=batches * groups, row=batches * groups * rows.out)
    made.add("conv_s8", pixel=groups * pixels)
    taps = window_h * window_w * depth
    for group, times in cycle(groups):
        _im2col(made, batches * times, rows, columns, Patch(channels, depth, group * depth))
    seconds = batches * groups * (rows.out * columns.out // 2)
    _widen(made, groups * pixels, seconds, taps)
    kernel = "columns_s16" if groups == 1 else "columns_row_offset_s16"
    columns_s16(made, batches * groups, rows.out * columns.out, outs // groups, taps, kernel)
    return made


@lru_cache(maxsize=CACHED)
def _cmsis_s16(
    bias: str, batches: int, filter_shape: tuple[int, ...], rows: Axis, columns: Axis
) -> Loops:
    """``arm_convolve_s16``: as for int8, but nothing is widened; sums of more than 512 products
    with a 64-bit bias go on in 64 bit."""
    made = Loops()
    outs, window_h, window_w, depth = filter_shape
    pixels = rows.out * columns.out
    taps = window_h * window_w * depth
    prefix = f"conv_s16_{bias}"
    made.add(prefix, call=1, row=batches * rows.out, pixel=batches * pixels)
    _im2col(made, batches, rows, columns, Patch(depth, depth, 0, type_bytes=2))
    slow = max(0, taps - MOST_PRODUCTS_S32) if bias == "int64" else 0
    columns_s16(made, batches, pixels, outs, taps - slow, prefix)
    made.add(prefix, slow=batches * (pixels // 2) * outs * slow)
    made.add(prefix, slow_left=batches * (pixels % 2) * outs * slow)
    return made


class Patch(NamedTuple):
    """What im2col copies at each tap: ``depth`` of the input's ``channels``, from ``first`` on."""

    channels: int
    depth: int
    first: int
    type_bytes: int = 1


def _im2col(made: Loops, batches: int, rows: Axis, columns: Axis, patch: Patch) -> None:
    """Copies the patch of each output to a column, zero points where it lies outside."""
    pixels = batches * rows.out * columns.out
    taps = rows.window * columns.window
    inside = batches * rows.inside() * columns.inside()
    made.add("im2col", inside=inside, outside=pixels * taps - inside, line=pixels * rows.window)
    size = patch.depth * patch.type_bytes
    if size % 4 == 0 and patch.channels * patch.type_bytes % 4 == 0:
        copy(made, inside, size)
        fill(made, pixels * taps - inside, size)
        return
    copies, fills = _alignments(rows, columns, patch)
    for (source, target), count in copies.items():
        copy(made, batches * count, size, source, target)
    for target, count in fills.items():
        fill(made, batches * count, size, target)


def _widen(made: Loops, pixels: int, seconds: int, taps: int) -> None:
    """Columns of int8 become int16; the second of two starts behind the first, without a gap."""
    quads, rest = divmod(taps, 4)
    made.add("widen", call=pixels, quad=pixels * quads, tap=pixels * rest)
    made.add("widen", rest=pixels if rest else 0)
    if rest:
        made.unaligned_loads += seconds * quads


class _Alike(NamedTuple):
    """Taps along an axis with the same part in addresses: of the input and of the column, both
    modulo 4, and of the number of the column, modulo 2."""

    source: int
    target: int
    second: int
    times: int


def _sources(axis: Axis, element: int, tap: int, column: int) -> Iterable[_Alike]:
    """The taps that lie inside; ``element``, ``tap`` and ``column``: what one of them adds."""
    found: Counter[tuple[int, int, int]] = Counter()
    for out, number, position, count in axis.taps():
        key = position * element % 4, number * tap % 4, out * column % 2
        found[key] += count
    return [_Alike(*key, count) for key, count in found.items()]


def _targets(axis: Axis, tap: int, column: int) -> Iterable[_Alike]:
    """All taps, whether inside or not."""
    found: Counter[tuple[int, int, int]] = Counter()
    for number, (out, times) in product(range(axis.window), cycle(axis.out)):
        found[0, number * tap % 4, out * column % 2] += times
    return [_Alike(*key, count) for key, count in found.items()]


def _alignments(
    rows: Axis, columns: Axis, patch: Patch
) -> tuple[Counter[tuple[int, int]], Counter[int]]:
    """How many copies there are by source and target modulo 4, and fills by target modulo 4.

    The second of two columns follows the first without a gap, so that its address is that of the
    first plus the size of a column.
    """
    element, tap = patch.channels * patch.type_bytes, patch.depth * patch.type_bytes
    column = rows.window * columns.window * tap
    copies: Counter[tuple[int, int]] = Counter()
    fills: Counter[int] = Counter()
    axes = (
        (rows, columns.size * element, columns.window * tap, columns.out),
        (columns, element, tap, 1),
    )
    for y, x in product(*(_sources(*axis) for axis in axes)):
        target = (y.second + x.second) % 2 * column + y.target + x.target
        source = y.source + x.source + patch.first * patch.type_bytes
        copies[source % 4, target % 4] += y.times * x.times
        fills[target % 4] -= y.times * x.times
    for y, x in product(*(_targets(axis, *steps) for axis, _, *steps in axes)):
        target = (y.second + x.second) % 2 * column + y.target + x.target
        fills[target % 4] += y.times * x.times
    return copies, fills


@lru_cache(maxsize=CACHED)
def _reference(
    name: str, batches: int, filter_shape: tuple[int, ...], rows: Axis, columns: Axis
) -> Loops:
    """reference_ops and reference_integer_ops: six nested loops."""
    made = Loops()
    outs, window_h, window_w, depth = filter_shape
    pixels = batches * rows.out * columns.out
    results = pixels * outs
    inside = batches * outs * rows.inside() * columns.inside()
    made.add(
        name,
        call=1,
        line=batches * rows.out,
        pixel=pixels,
        result=results,
        tap_line=results * window_h,
        outside=results * window_h * window_w - inside,
        inside=inside,
        mac=inside * depth,
    )
    if pixels == 1:
        made.streamed_bytes = outs * window_h * window_w * depth
    return made
