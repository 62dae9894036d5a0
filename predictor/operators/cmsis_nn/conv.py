"""CONV_2D with CMSIS-NN. Mirrors kernels/cmsis_nn/conv.cc.

Access order and loops are those of arm_convolve_s8.c, arm_convolve_1x1_s8.c,
arm_convolve_1x1_s8_fast.c, arm_nn_mat_mult_nt_t_s8.c and arm_convolve_s16.c (DSP extension, no
MVE).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from predictor.model.graph import TensorType
from predictor.operators.access_order import InputOverlap, Windows
from predictor.operators.checks import ensure_rank, ensure_same_type
from predictor.operators.cmsis_nn import register
from predictor.operators.cmsis_nn.buffers import (
    convolution_bytes,
    has_dsp,
    int16_column_bytes,
    is_1x1,
)
from predictor.operators.cmsis_nn.matrix_products import columns_s16, product_s8
from predictor.operators.context import NodeContext
from predictor.operators.convolution import allocate_requantization, check_hybrid
from predictor.operators.loops import CACHED, Loops, cycle
from predictor.operators.loops.c_library import copy, fill
from predictor.operators.loops.windows import Axis
from predictor.operators.parsing import check_element_types, options_of
from predictor.operators.quantized import ensure_symmetric
from predictor.operators.reference import conv
from predictor.operators.reference.conv import (
    OPTIONS,
    TYPES,
    calculate_op_data,
    check_eval,
    grouped_windows,
    known_axes,
    nested_loops,
)

_FAST_TYPES = ((TensorType.INT8, TensorType.INT8), (TensorType.INT16, TensorType.INT8))
"""Types of input and filter with a kernel of their own; others run nested loops."""
MOST_PRODUCTS_S32 = 512
"""CMSIS-NN's ``MAX_COL_COUNT``: so many products of 16 and 8 bit fit a sum of 32 bit."""


def _prepare(ctx: NodeContext) -> None:
    check_element_types(ctx, OPTIONS, "quantized_bias_type")
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    # The kernel asks for the bias among the outputs, so that it never finds one: a third output
    # is refused below, and the int16 buffer is requested whatever type the bias has.
    ctx.temp_output(2)
    ensure_same_type(ctx, input, output)
    check_hybrid(ctx, (input.type, filter.type) in TYPES, input, filter)
    for tensor in (input, filter, output):
        ensure_rank(ctx, tensor, 4)
    in_shape, filter_shape, out_shape = ctx.shape(input), ctx.shape(filter), ctx.shape(output)
    ctx.ensure(in_shape[0] == out_shape[0], "input and output differ in batch size")
    ctx.ensure(filter_shape[3] > 0, "the filter has no input channels")
    ctx.ensure(
        in_shape[3] % filter_shape[3] == 0,
        f"{in_shape[3]} input channels are no multiple of the filter's {filter_shape[3]}",
    )
    if input.type != TensorType.FLOAT32:
        allocate_requantization(ctx, filter_shape[0])
    calculate_op_data(ctx)
    taps = filter_shape[2] * filter_shape[1] * in_shape[3]
    buffer_bytes = 0
    if input.type == TensorType.INT8:
        # For INT4 weights, too, the kernel asks for the size of the int8 convolution.
        buffer_bytes = convolution_bytes(
            ctx.core, options_of(ctx, OPTIONS), in_shape, filter_shape, out_shape
        )
    elif input.type == TensorType.INT16:
        ensure_symmetric(ctx, input, output)
        buffer_bytes = int16_column_bytes(ctx.core, taps)
    if buffer_bytes > 0:
        ctx.scratch(buffer_bytes)
    check_eval(ctx)


@lru_cache(maxsize=CACHED)
def columns_distance(windows: Windows, groups: int) -> int:
    """im2col: two positions are copied to the scratch buffer, then their outputs are written.

    Pairs run on from row to row, an odd last position stands alone. All positions of a group of
    channels come before those of the next, and all of an image before those of the next.
    """
    of_group_in, of_group_out = windows.in_channels // groups, windows.out_channels // groups
    outputs, of_image = windows.out_channels, windows.positions_of_image
    worst = 0
    for place in windows.places(2):
        image = place.image * of_image
        pair = (place.position - image) // 2 * 2
        written = image * outputs
        if pair:
            written += (pair - 1) * outputs + of_group_out
        read = place.pixel * windows.in_channels
        worst = max(worst, written - read)
        # Each further group reads the whole image again after the one before has written it.
        last = (image + of_image - 1) * outputs
        for group in {1, groups - 1} if groups > 1 else ():
            worst = max(worst, last + group * of_group_out - read - group * of_group_in)
    return worst


@lru_cache(maxsize=CACHED)
def pointwise_distance(windows: Windows) -> int:
    """1x1 without dilation: for two output channels at a time all positions are swept.

    Sweeps go over one row of outputs where the stride is not 1, over all positions of all images
    where it is; each takes two positions at a time, that of an odd last channel one. From three
    output channels on every position is read again after nearly all outputs have been written.
    Nothing asks where the input ends, so that outputs beyond it are kept apart.
    """
    outputs = windows.out_channels
    axes = zip(windows.out_size, windows.stride, windows.in_size, strict=True)
    if any((out - 1) * stride >= size for out, stride, size in axes):
        return windows.output_elements
    length = windows.positions if windows.stride == (1, 1) else windows.out_size[1]
    takes_pairs = outputs % 2 == 0
    before = outputs - (outputs % 2 or 2)  # channels that the sweeps before the last finish
    worst = 0
    for place in windows.places(2):
        start = place.position // length * length
        read = place.pixel * windows.in_channels
        if not (takes_pairs and (place.position - start) % 2):
            worst = max(worst, place.position * outputs - read)
        if before and place.position == start:
            worst = max(worst, (start + length - 1) * outputs + before - read)
    return worst


def _overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    """The distance of the kernel for the DSP extension; those of INT4 weights, of int16 and for
    other cores are not known."""
    input, filter, found = ctx.input(0), ctx.input(1), grouped_windows(ctx)
    if input is None or filter is None or found is None:
        return ()
    if input.type == TensorType.FLOAT32:
        return conv.overlap(ctx)
    if (input.type, filter.type) != (TensorType.INT8, TensorType.INT8) or not has_dsp(ctx.core):
        return ()
    windows, groups = found
    if is_1x1(options_of(ctx, OPTIONS), ctx.shape(input), ctx.shape(filter)):
        return (InputOverlap(0, pointwise_distance(windows), "1x1: channels come first"),)
    distance = columns_distance(windows, groups)
    return (InputOverlap(0, distance, "im2col: two positions are copied, then written"),)


def _steered(ctx: NodeContext) -> Mapping[str, Any] | None:
    """Options that give the same results by a kernel whose output may overlap its input.

    A dilation means nothing for a 1x1 filter, but with it ``arm_convolve_wrapper_s8`` does not
    take the kernel for 1x1 filters, whose output can never overlap: it takes im2col, which
    finishes positions one after the other. None where this does not apply.
    """
    input, filter = ctx.input(0), ctx.input(1)
    options = options_of(ctx, OPTIONS)
    if input is None or filter is None:
        return None
    is_int8 = (input.type, filter.type) == (TensorType.INT8, TensorType.INT8)
    if not is_int8 or not is_1x1(options, ctx.shape(input), ctx.shape(filter)):
        return None
    return {**options, "dilation_h_factor": 2, "dilation_w_factor": 2}


def _loops(ctx: NodeContext) -> Loops | None:
    input, filter = ctx.input(0), ctx.input(1)
    if input is None or filter is None:
        return None
    types = input.type, filter.type
    if types not in _FAST_TYPES:
        is_float = input.type == TensorType.FLOAT32
        return conv.loops(ctx) if is_float else nested_loops(ctx, "cmsis_conv")
    found = known_axes(ctx)
    if found is None:
        return None
    (batches, _, _, channels), filter_shape = ctx.shape(input), ctx.shape(filter)
    if input.type == TensorType.INT8:
        if channels % filter_shape[3]:
            return None
        return _loops_s8(batches, channels, filter_shape, *found).copy()
    bias = ctx.input(2)
    name = f"int{64 if bias is not None and bias.type == TensorType.INT64 else 32}"
    return _loops_s16(name, batches, filter_shape, *found).copy()


@lru_cache(maxsize=CACHED)
def _loops_s8(
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
def _loops_s16(
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


register("CONV_2D", prepare=_prepare, overlap=_overlap, steered=_steered, loops=_loops)
