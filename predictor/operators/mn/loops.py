"""The project's own kernels: how often their loops run, from what an operator hands to its kernel.

Follows kernels/src, function by function; loops that kernels share (columns, products, packing)
have the same name in all of them. Custom operators and builtin ones that current TFLM has with
these kernels differ in how they call, and in nothing else.
"""

from __future__ import annotations

from collections import Counter
from math import prod

from predictor.model.device.options import (
    PREPARED_BITS,
    AddOptions,
    ClampOptions,
    DeviceOptions,
    PadOptions,
    Pair,
    PoolOptions,
    RequantizeOptions,
    SoftmaxOptions,
    WeightedOptions,
    packed_bytes,
)
from predictor.model.requantization import Range
from predictor.operators.context import GraphState
from predictor.operators.loops import Loops
from predictor.operators.loops.windows import Axis, is_of_sane_size
from predictor.operators.mn.scratch import group_of, is_direct, is_pointwise, needs_patch

_POSITIONS = 4
"""Columns that one pass over the weights serves."""
_LANES = 4
_UNROLLED = 8
"""Taps that the depthwise loop takes in one pass."""
_SHORT_SHIFTS = range(-20, 0)
"""Those of the assembler; others take rows one by one."""
_INT8 = (-128, 127)


def kernel_loops(options: DeviceOptions, call: str, state: GraphState) -> Loops | None:
    """The loops of a kernel.

    Args:
        call: how the operator calls it, "custom" or "builtin".
        state: of the model, which bounds the work for all its operators.
    """
    made = Loops()
    made.terms[f"{options.code.lower()}.{call}_call"] = 1
    if isinstance(options, WeightedOptions):
        return made if _WEIGHTED[options.operator](made, options, state) else None
    if isinstance(options, PoolOptions):
        return made if _pool(made, options, state) else None
    _others(made, options)
    return made


def _convolution(made: Loops, options: WeightedOptions, state: GraphState) -> bool:
    """``mn_convolution_run``: columns of 16-bit inputs, four positions at a time."""
    found = _axes(options, state)
    if found is None or not _has_short_shifts(options):
        return False
    rows, columns = found
    batches, _, _, channels = options.input_dims
    outs, window_h, window_w, depth = options.filter_dims
    groups, taps = channels // depth, window_h * window_w * depth
    positions = batches * rows.out * columns.out
    blocks, left = divmod(positions, _POSITIONS)
    made.add("mn_convolution", channel=outs, block=blocks + left, position=positions * groups)
    _padded_rows(made, options, taps)
    step = "x4" if blocks else "x1"
    is_pixel = is_pointwise(options)
    if is_pixel:
        made.add("mn_convolution", pointwise=positions)
        pieces = Counter({channels: positions}), Counter[int]()
    else:
        pieces = _pieces(rows, columns, options, batches * groups)
        made.add("mn_convolution", line=positions * groups * window_h)
        made.add("mn_convolution", piece=pieces[0].total() + pieces[1].total())
    if needs_patch(options, is_pixel):
        _patch(made, options, pieces)
        _columns(made, 8, options.weight_bits, step, Counter({taps: positions * groups}))
    else:
        odd = channels % 2 == 1 and positions > 1
        _columns(made, options.input_bits, options.weight_bits, step, pieces[0], odd)
        for count, runs in pieces[1].items():
            made.add("mn_column_zero", call=runs, word=runs * count // 2)
    for kind, passes in (("x4", blocks), ("x1", left)):
        _products(made, options, kind, passes * groups, outs // groups, taps)
        outputs = outs * (_POSITIONS if kind == "x4" else 1)
        _finish(made, options.input_bits, options.activation, passes, outputs)
    return True


def _pieces(
    rows: Axis, columns: Axis, options: WeightedOptions, images: int
) -> tuple[Counter[int], Counter[int]]:
    """The pieces of which patches are made: how often so many inputs, and so many zeros, follow
    one another."""
    inputs: Counter[int] = Counter()
    zeros: Counter[int] = Counter()
    depth, lines = options.filter_dims[3], images * rows.inside()
    outside = images * rows.out * rows.window - lines
    if outside:
        zeros[columns.window * depth] += outside * columns.out
    if columns.dilation != 1 or depth != options.input_dims[3]:
        inside = columns.inside()
        inputs[depth] += lines * inside
        zeros[depth] += lines * (columns.out * columns.window - inside)
        return inputs, zeros
    border = list(columns.borders())
    if len(border) < columns.out:
        inputs[columns.window * depth] += lines * (columns.out - len(border))
    for out in border:
        first = out * columns.stride - columns.pad
        begin = min(max(0, -first), columns.window)
        end = max(begin, min(columns.size - first, columns.window))
        for found, count in ((zeros, begin), (inputs, end - begin), (zeros, columns.window - end)):
            if count:
                found[count * depth] += lines
    return inputs, zeros


def _patch(
    made: Loops, options: WeightedOptions, pieces: tuple[Counter[int], Counter[int]]
) -> None:
    """Inputs and zeros gathered as bytes."""
    for count, runs in pieces[0].items():
        if options.input_bits == 4:
            made.add("mn_unpack_s4", call=runs, group=runs * (count // 8))
            made.add("mn_unpack_s4", pair=runs * (count % 8) // 2)
        else:
            made.add("mn_copy_s8", call=runs, word=runs * (count // 4), byte=runs * (count % 4))
    for count, runs in pieces[1].items():
        made.add("mn_fill_s8", call=runs, word=runs * (count // 4), byte=runs * (count % 4))


def _columns(
    made: Loops, inputs: int, weights: int, step: str, counts: Counter[int], odd: bool = False
) -> None:
    """``mn_column_*``: pieces of columns; ``odd``: half of them start within a byte."""
    name, group = f"mn_column_s{inputs}_w{weights}_{step}", group_of(weights)
    for count, runs in counts.items():
        made.add(name, call=runs)
        rest = count % group
        if count < group:
            made.add(name, few=runs, element=runs * count)
            continue
        if inputs == 4:
            made.add(name, group=runs * (count // group))
            if odd:
                made.add(name, odd=runs * (count // group) // 2)
        else:
            made.add(name, block=runs * (count // 16), group=runs * (count % 16 // group))
        if rest:
            made.add(name, **{"half" if rest <= 4 < group else "rest": runs})


def _products(
    made: Loops, options: WeightedOptions, kind: str, calls: int, rows: int, depth: int
) -> None:
    """``mn_matmul_x4_*`` and ``mn_matmul_x1_*``: rows of weights times columns."""
    if not calls:
        return
    bits = options.weight_bits
    name, group = f"mn_matmul_{kind}_w{bits}", group_of(bits)
    depth = max(depth, group)
    # The x1 loops take two rows at a time, and a last one by itself.
    runs, last = (rows, 0) if kind == "x4" else divmod(rows, 2)
    passes = calls * runs
    made.add(name, call=calls, row=passes, last=calls * last)
    made.add(name, last_group=calls * last * -(-depth // group))
    if kind == "x1" and len(options.tables.multipliers) == 1:
        made.add(name, uniform=passes)
    if bits == 8:
        unit = 16 if kind == "x4" else 8
        made.add(name, unit=passes * (depth // unit), single=passes * (depth % unit // 4))
        made.add(name, overlap=passes if depth % 4 else 0)
        if kind == "x1":
            made.add(name, loop=passes * -(-(depth // unit) // 4))
        return
    groups, rest = divmod(depth, 8)
    made.add(name, unit=passes * groups, loop=passes * -(-groups // (2 if kind == "x4" else 4)))
    if rest:
        made.add(name, **{"half" if rest <= 4 else "full": passes})
    if depth % 2:
        # Every other row starts within a byte, and so do the ends of the others.
        made.add(name, odd=passes * groups // (2 if kind == "x4" else 1))


def _finish(made: Loops, bits: int, activation: Range, calls: int, count: int) -> None:
    """``mn_finish_*``: the activation, and packing."""
    made.add(f"mn_finish_s{bits}", call=calls)
    if bits == 4:
        made.add("mn_finish_s4", group=calls * (count // 8), pair=calls * -(-(count % 8) // 2))
    elif tuple(activation) != _INT8:
        made.add("mn_finish_s8", word=calls * (count // 4), byte=calls * (count % 4))


def _padded_rows(made: Loops, options: WeightedOptions, depth: int) -> None:
    """``mn_pad_rows``: rows shorter than a word of weights."""
    outs = options.filter_dims[0]
    if depth < group_of(options.weight_bits):
        made.add(f"mn_pad_rows_w{options.weight_bits}", call=1, row=outs, element=outs * depth)


def _depthwise(made: Loops, options: WeightedOptions, state: GraphState) -> bool:
    """``mn_depthwise_run``: four channels at a time, eight taps in a pass."""
    found = _axes(options, state)
    if found is None:
        return False
    rows, columns = found
    batches, _, _, channels = options.input_dims
    _, window_h, window_w, outs = options.filter_dims
    taps, quads = window_h * window_w, -(-outs // _LANES)
    is_fast = options.channel_multiplier == 1 and outs >= _LANES and _has_short_shifts(options)
    name = "mn_depthwise"
    if options.weight_bits != PREPARED_BITS:
        made.add(f"mn_prepare_quad_w{options.weight_bits}", call=quads, tap=quads * taps)
    lines, pixels = batches * rows.out, batches * rows.out * columns.out
    whole = _whole(rows), _whole(columns)
    inner_lines = batches * whole[0] if whole[1] else 0
    edges = pixels - batches * whole[0] * whole[1]
    calls = inner_lines + edges
    made.add(name, channel=outs, line=lines, pixel=pixels, edge=edges)
    made.add(name, set=calls, set_row=calls * window_h, set_tap=calls * taps)
    if is_fast:
        made.add("mn_run_quads", call=pixels, quad=pixels * quads)
        made.add("mn_run_quads", unit=pixels * quads * (taps // _UNROLLED))
        made.add("mn_run_quads", single=pixels * quads * (taps % _UNROLLED))
        made.add("mn_run_quads", back=pixels if outs % _LANES else 0)
    else:
        made.add("mn_run_any_quads", call=pixels, quad=pixels * quads, lane=pixels * outs)
        made.add("mn_run_any_quads", tap=pixels * quads * taps)
    if options.input_bits == 4:
        read = batches * min(rows.size, (rows.out - 1) * rows.stride - rows.pad + _reach(rows))
        _patch(made, options, (Counter({columns.size * channels: max(0, read)}), Counter()))
        _finish(made, 4, options.activation, -(-pixels // 2), 2 * outs)
    else:
        _finish(made, 8, options.activation, lines, columns.out * outs)
    return True


def _fully_connected(made: Loops, options: WeightedOptions, _: GraphState) -> bool:
    """``mn_fully_connected_run``: a column for each batch, one position at a time."""
    if not _has_short_shifts(options):
        return False
    batches, outs = options.output_dims[0], options.output_dims[3]
    depth = prod(options.input_dims[1:])
    made.add("mn_fully_connected", batch=batches)
    made.streamed_bytes = batches * packed_bytes(outs * depth, options.weight_bits)
    if is_direct(options):
        _dot(made, batches, outs, depth)
    else:
        _column_of_batch(made, options, batches, depth)
        _products(made, options, "x1", batches, outs, depth)
    _finish(made, options.input_bits, options.activation, batches, outs)
    return True


def _column_of_batch(made: Loops, options: WeightedOptions, batches: int, depth: int) -> None:
    _padded_rows(made, options, depth)
    inputs, bits = Counter({depth: batches}), options.input_bits
    if needs_patch(options, is_pixel=True):
        _patch(made, options, (inputs, Counter()))
        bits = 8
    _columns(made, bits, options.weight_bits, "x1", inputs, odd=depth % 2 == 1 and batches > 1)


def _dot(made: Loops, batches: int, outs: int, depth: int) -> None:
    """``mn_dot_s8_w8``: two rows at a time, a last one beside itself."""
    passes = batches * -(-outs // 2)
    words, rest = divmod(depth, 4)
    made.add("mn_dot_s8_w8", call=batches, row=passes, word=passes * words, rest=passes * rest)
    made.add("mn_dot_s8_w8", output=batches * outs)


def _pool(made: Loops, options: PoolOptions, state: GraphState) -> bool:
    """``mn_avgpool_*`` and ``mn_max_pool_*``; those of int8 take four channels at a time."""
    rows, columns = _axis(options, 0, options.window), _axis(options, 1, options.window)
    batches, channels = options.output_dims[0], options.output_dims[3]
    if not is_of_sane_size(state, rows, columns):
        return False
    name = options.code.lower()
    pixels = batches * rows.out * columns.out
    lines = batches * rows.inside() * columns.out
    taps = batches * rows.inside() * columns.inside()
    quads, singles = divmod(channels, _LANES) if options.bits == 8 else (0, channels)
    made.add(name, pixel=pixels)
    for kind, count in (("quad", quads), ("single", singles)):
        made.add(f"{name}.{kind}", run=pixels * count, line=lines * count, tap=taps * count)
    return True


def _others(made: Loops, options: DeviceOptions) -> None:
    name = options.code.lower()
    if isinstance(options, SoftmaxOptions):
        made.add(name, row=options.rows, element=options.rows * options.row_size)
    elif isinstance(options, PadOptions):
        _pad(made, options)
    elif isinstance(options, AddOptions | ClampOptions | RequantizeOptions):
        made.add(name, element=options.count)


def _pad(made: Loops, options: PadOptions) -> None:
    """``mn_run_padding``: nibbles are copied pixel by pixel, with fills around each, around each
    line and around each image."""
    images, height, width, channels = options.input_dims
    before, after = options.before, options.after
    lines, pixels = images * height, images * height * width
    made.add("mn_copy_s4", call=pixels, group=pixels * (channels // 8))
    made.add("mn_copy_s4", nibble=pixels * (channels % 8))
    padded = [sum(sizes) for sizes in zip(before, options.input_dims, after, strict=True)]
    for axis, runs in enumerate((1, images, lines, pixels)):
        inner = prod(padded[axis + 1 :])
        for count in (before[axis] * inner, after[axis] * inner):
            made.add("mn_fill_s4", call=runs, pair=runs * (count // 2), single=runs * (count % 2))
    if any(channels % 2 for channels in (options.input_dims[3], padded[3])):
        made.add("mn_pad_s4", odd=pixels * channels)


def _axes(options: WeightedOptions, state: GraphState) -> tuple[Axis, Axis] | None:
    """Rows and columns, None where they are too many to go through."""
    window = options.filter_dims[1:3]
    rows, columns = (_axis(options, i, window, options.dilation[i]) for i in range(2))
    return (rows, columns) if is_of_sane_size(state, rows, columns) else None


def _axis(
    options: WeightedOptions | PoolOptions, index: int, window: Pair, dilation: int = 1
) -> Axis:
    size, out = options.input_dims[1 + index], options.output_dims[1 + index]
    return Axis(size, window[index], out, options.stride[index], dilation, options.padding[index])


def _whole(axis: Axis) -> int:
    """Output positions whose window lies inside."""
    last = (axis.size - _reach(axis) + axis.pad) // axis.stride
    first = -(-axis.pad // axis.stride)
    return max(0, min(last, axis.out - 1) - first + 1)


def _reach(axis: Axis) -> int:
    """From a window's first tap to behind its last."""
    return (axis.window - 1) * axis.dilation + 1


def _has_short_shifts(options: WeightedOptions) -> bool:
    return all(shift in _SHORT_SHIFTS for shift in options.tables.shifts)


_WEIGHTED = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
}
