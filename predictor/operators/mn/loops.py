"""The project's own kernels: how often their loops run, from what an operator hands to its kernel.

Follows kernels/src, function by function; loops that kernels share (columns, products, packing)
have the same name in all of them. Custom operators and builtin ones that current TFLM has with
these kernels differ in how they call, and in nothing else.
"""

from __future__ import annotations

from math import prod

from predictor.model.device.elementwise_options import LookupOptions, MeanOptions, PairOptions
from predictor.model.device.options import (
    AddOptions,
    ClampOptions,
    DeviceOptions,
    Dims,
    PadOptions,
    PoolOptions,
    RequantizeOptions,
    SoftmaxOptions,
    WeightedOptions,
)
from predictor.operators.context import GraphState
from predictor.operators.loops import Loops
from predictor.operators.mn import convolution_loops, depthwise_loops
from predictor.operators.mn.contents import ORDINARY, Contents
from predictor.operators.mn.window_loops import axes_of

_LANES = 4
_MOST_TAPS = 255
"""As many int8 as the 16-bit lanes of AVERAGE_POOL_2D can sum."""


def kernel_loops(
    options: DeviceOptions, call: str, state: GraphState, contents: Contents = ORDINARY
) -> Loops | None:
    """The loops of a kernel.

    Args:
        call: how the operator calls it, "custom" or "builtin".
        state: of the model, which bounds the work for all its operators.
        contents: what its constants are like.
    """
    made = Loops()
    made.terms[f"{options.code.lower()}.{call}_call"] = 1
    if isinstance(options, WeightedOptions):
        return made if _WEIGHTED[options.operator](made, options, state, contents) else None
    if isinstance(options, PoolOptions):
        return made if _pool(made, options, state) else None
    _others(made, options)
    return made


def _pool(made: Loops, options: PoolOptions, state: GraphState) -> bool:
    """``mn_avgpool_*`` and ``mn_max_pool_*``; those of int8 take four channels at a time."""
    found = axes_of(options, state, options.window)
    if found is None:
        return False
    rows, columns = found
    batches, channels = options.output_dims[0], options.output_dims[3]
    name = options.code.lower()
    pixels = batches * rows.out * columns.out
    lines = batches * rows.inside() * columns.out
    taps = batches * rows.inside() * columns.inside()
    quads, singles = divmod(channels, _LANES) if options.bits == 8 else (0, channels)
    made.add(name, row=batches * rows.out, pixel=pixels)
    is_large = name.startswith("mn_average") and prod(options.window) > _MOST_TAPS
    for kind, count in (("large" if is_large else "quad", quads), ("single", singles)):
        made.add(f"{name}.{kind}", run=pixels * count, line=lines * count, tap=taps * count)
    return True


def _others(made: Loops, options: DeviceOptions) -> None:
    name = options.code.lower()
    if isinstance(options, SoftmaxOptions):
        made.add(name, row=options.rows, element=options.rows * options.row_size)
    elif isinstance(options, PadOptions):
        _pad(made, options)
    elif isinstance(options, LookupOptions):
        made.add(name, quad=options.count // _LANES, single=options.count % _LANES)
    elif isinstance(options, MeanOptions):
        _mean(made, options)
    elif isinstance(options, PairOptions):
        _pair(made, options)
    elif isinstance(options, AddOptions | ClampOptions | RequantizeOptions):
        made.add(name, element=options.count)


def _mean(made: Loops, options: MeanOptions) -> None:
    """``mn_mean_s8``: four values at a time, or a row where the mean is of one."""
    outer, reduced, name = options.outer, options.reduced, options.code.lower()
    if options.inner == 1:
        quads, singles = divmod(reduced, _LANES)
        made.add(f"{name}.row", run=outer, quad=outer * quads, single=outer * singles)
        return
    quads, singles = divmod(options.inner, _LANES)
    for kind, count in (("quad", outer * quads), ("single", outer * singles)):
        made.add(f"{name}.{kind}", run=count, tap=count * reduced)


def _pair(made: Loops, options: PairOptions) -> None:
    """``mn_run_broadcast``; the larger and smaller of two come as words where none is repeated."""
    runs, length = options.run_lengths
    name = options.code.lower()
    if not options.params and all(_steps(dims, options) for dims in options.input_dims):
        quads, length = divmod(length, _LANES)
        made.add(name, quad=runs * quads)
    made.add(name, run=runs, element=runs * length)


def _steps(dims: Dims, options: PairOptions) -> bool:
    """Whether an input lies in a run as the output does."""
    return dims[3] > 1 if options.run_lengths[0] > 1 else dims == options.output_dims


def _pad(made: Loops, options: PadOptions) -> None:
    """``mn_run_padding``: pixels are copied one by one, with fills around each, around each line
    and around each image. Rows of a group that lie beside its input are filled."""
    images, height, width, channels = options.input_dims
    before, after, padded = options.before, options.after, options.output_dims
    if not height:
        _fill(made, options.bits, prod(padded), 1)
        return
    lines, pixels = images * height, images * height * width
    name, group = f"mn_copy_s{options.bits}", 32 // options.bits
    made.add(name, call=pixels, group=pixels * (channels // group))
    made.add(name, **{"byte" if options.bits == 8 else "nibble": pixels * (channels % group)})
    for axis, runs in enumerate((1, images, lines, pixels)):
        inner = prod(padded[axis + 1 :])
        for count in (before[axis] * inner, after[axis] * inner):
            _fill(made, options.bits, count, runs)
    if options.bits == 8:
        return
    if any(channels % 2 for channels in (options.input_dims[3], padded[3])):
        made.add("mn_pad_s4", odd=pixels * channels)


def _fill(made: Loops, bits: int, count: int, runs: int) -> None:
    """``mn_fill_*``: words of int8, bytes of int4."""
    whole, rest, unit = ("word", "byte", 4) if bits == 8 else ("pair", "single", 2)
    counts = {"call": runs, whole: runs * (count // unit), rest: runs * (count % unit)}
    made.add(f"mn_fill_s{bits}", **counts)


_WEIGHTED = {
    "CONV_2D": convolution_loops.convolution,
    "DEPTHWISE_CONV_2D": depthwise_loops.depthwise,
    "FULLY_CONNECTED": convolution_loops.fully_connected,
}
