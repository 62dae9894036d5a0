"""CONV_2D. Mirrors kernels/conv_common.cc, kernels/conv.cc, reference/conv.h and
reference/integer_ops/conv.h."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod

from predictor.model.graph import TensorType
from predictor.operators.access_order import InputOverlap, Windows, by_position, windows_of
from predictor.operators.checks import ensure_same_type, need_counts
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    allocate_requantization,
    check_filter_scales,
    check_hybrid,
    expect_4d,
    populate_quantization,
)
from predictor.operators.evaluation import allocates
from predictor.operators.loops import CACHED, Loops
from predictor.operators.loops.windows import Axis, filter_axes
from predictor.operators.parsing import check_element_types, fused_activation
from predictor.operators.reference import register
from predictor.operators.registry import OpCount
from predictor.operators.sizes import RUNTIME_TYPE_BYTES

OPTIONS = "Conv2DOptions"
TYPES = (
    (TensorType.FLOAT32, TensorType.FLOAT32),
    (TensorType.INT16, TensorType.INT8),
    (TensorType.INT8, TensorType.INT4),
    (TensorType.INT8, TensorType.INT8),
)


def count(ctx: NodeContext) -> OpCount:
    """One MAC for each tap of each output element."""
    filter, output = ctx.input(1), ctx.output(0)
    if filter is None or output is None:
        return OpCount()
    return OpCount(ctx.element_count(output) * prod(ctx.shape(filter)[1:]))


def _prepare(ctx: NodeContext) -> None:
    check_element_types(ctx, OPTIONS, "quantized_bias_type")
    _prepare_convolution(ctx)
    check_eval(ctx)


def calculate_op_data(ctx: NodeContext) -> None:
    """Mirrors ``CalculateOpDataConv``."""
    need_counts(ctx, (2, 3), 1)
    input, filter = ctx.need_input(0), ctx.need_input(1)
    bias = ctx.temp_input(2)
    output = ctx.need_output(0)
    if input.type != TensorType.FLOAT32:
        channels = ctx.shape(filter)[0]
        activation = fused_activation(ctx, OPTIONS)
        populate_quantization(ctx, (input, filter, bias, output), channels, activation)


def _prepare_convolution(ctx: NodeContext) -> None:
    """Mirrors ``ConvPrepare``."""
    output, input, filter = ctx.need_output(0), ctx.need_input(0), ctx.need_input(1)
    ensure_same_type(ctx, input, output)
    check_hybrid(ctx, (input.type, filter.type) in TYPES, input, filter)
    expect_4d(ctx, input, filter, output)
    ctx.ensure(len(ctx.shape(filter)) > 0, "the filter is a scalar")
    channels = ctx.shape(filter)[0]
    allocate_requantization(ctx, channels)
    if input.type != TensorType.FLOAT32:
        check_filter_scales(ctx, filter, channels)
    calculate_op_data(ctx)
    if filter.type == TensorType.INT4:
        ctx.scratch(ctx.element_count(filter))


def check_eval(ctx: NodeContext) -> None:
    input, bias = ctx.input(0), ctx.input(2)
    if input is None or bias is None or input.type != TensorType.INT16:
        return
    if bias.type not in (TensorType.INT32, TensorType.INT64):
        ctx.fails_at_invoke(f"int16 activations need an INT32 or INT64 bias, not {bias.type.name}")


def grouped_windows(ctx: NodeContext) -> tuple[Windows, int] | None:
    """The windows and the number of groups of channels, None for shapes that are no convolution."""
    filter = ctx.input(1)
    if filter is None or len(ctx.shape(filter)) != 4:
        return None
    _, height, width, depth = ctx.shape(filter)
    windows = windows_of(ctx, (height, width), OPTIONS)
    if windows is None or depth < 1 or windows.in_channels % depth:
        return None
    groups = windows.in_channels // depth
    return None if windows.out_channels % groups else (windows, groups)


def distance(windows: Windows, groups: int) -> int:
    """How far writes run ahead of reads, in elements.

    Positions ascend, within them channels; each output element reads its whole window. All
    channels of a group read from its first input channel on, so the last write before the last read
    of a group is that of the last output channel but one.
    """
    of_group_in, of_group_out = windows.in_channels // groups, windows.out_channels // groups
    return by_position(
        windows,
        max((group + 1) * of_group_out - 1 - group * of_group_in for group in {0, groups - 1}),
    )


def overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    input, found = ctx.input(0), grouped_windows(ctx)
    if input is None or found is None:
        return ()
    ahead = distance(*found) * RUNTIME_TYPE_BYTES[input.type]
    return (InputOverlap(0, ahead, "each position is finished before the next"),)


def loops(ctx: NodeContext) -> Loops | None:
    return nested_loops(ctx, "conv")


def known_axes(ctx: NodeContext) -> tuple[Axis, Axis] | None:
    """Rows and columns of the windows, None for shapes whose loops are not known."""
    filter, found = ctx.input(1), filter_axes(ctx, OPTIONS)
    return found if filter is not None and found and ctx.shape(filter)[3] else None


def nested_loops(ctx: NodeContext, kernel: str) -> Loops | None:
    """Six nested loops, each under the name of the kernel and its types."""
    input, filter, found = ctx.input(0), ctx.input(1), known_axes(ctx)
    if input is None or filter is None or found is None:
        return None
    name = f"{kernel}_{input.type.name.lower()}x{filter.type.name.lower()}"
    return _nested(name, ctx.shape(input)[0], ctx.shape(filter), *found).copy()


@lru_cache(maxsize=CACHED)
def _nested(
    name: str, batches: int, filter_shape: tuple[int, ...], rows: Axis, columns: Axis
) -> Loops:
    outs, window_h, window_w, depth = filter_shape
    made = Loops()
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


register(
    "CONV_2D",
    params="TfLiteConvParams",
    init=allocates("ConvOpData"),
    prepare=_prepare,
    count=count,
    overlap=overlap,
    loops=loops,
)
