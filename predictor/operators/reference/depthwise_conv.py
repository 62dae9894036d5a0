"""DEPTHWISE_CONV_2D. Mirrors kernels/depthwise_conv_common.cc, kernels/depthwise_conv.cc and
reference/integer_ops/depthwise_conv.h."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.model.graph import TensorType
from predictor.operators.access_order import InputOverlap, Windows, by_position, windows_of
from predictor.operators.checks import need_counts
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    allocate_requantization,
    check_4d,
    check_filter_scales,
    check_hybrid,
    expect_4d,
    populate_quantization,
)
from predictor.operators.evaluation import allocates
from predictor.operators.loops import Loops
from predictor.operators.loops.windows import Axis, filter_axes
from predictor.operators.parsing import fused_activation, options_of
from predictor.operators.reference import register
from predictor.operators.registry import OpCount
from predictor.operators.sizes import RUNTIME_TYPE_BYTES

OPTIONS = "DepthwiseConv2DOptions"
CHANNELS = 3
"""The dimension of the filter that holds the output channels."""
TYPES = (
    (TensorType.FLOAT32, TensorType.FLOAT32),
    (TensorType.INT16, TensorType.INT8),
    (TensorType.INT8, TensorType.INT4),
    (TensorType.INT8, TensorType.INT8),
)

BY_POSITION = "each position is finished before the next"


def count(ctx: NodeContext) -> OpCount:
    """One MAC for each tap (filter height x width) of each output element."""
    filter, output = ctx.input(1), ctx.output(0)
    if filter is None or output is None or len(ctx.shape(filter)) < 3:
        return OpCount()
    _, height, width = ctx.shape(filter)[:3]
    return OpCount(ctx.element_count(output) * height * width)


def calculate_op_data(ctx: NodeContext) -> None:
    """Mirrors ``CalculateOpDataDepthwiseConv``."""
    need_counts(ctx, (2, 3), 1)
    input, filter = ctx.need_input(0), ctx.need_input(1)
    bias = ctx.temp_input(2)
    output = ctx.need_output(0)
    if input.type != TensorType.FLOAT32:
        channels = ctx.shape(filter)[CHANNELS]
        activation = fused_activation(ctx, OPTIONS)
        populate_quantization(ctx, (input, filter, bias, output), channels, activation)
    # Having 3 inputs, TFLM frees the temporary tensor of the bias even if it got none; its count
    # of temporary buffers is wrong from then on, which it reports as an error.
    ctx.ensure(
        len(ctx.op.inputs) == 2 or bias is not None,
        "its bias is listed but omitted; leave it out of the inputs or give it a tensor",
    )


def prepare(ctx: NodeContext) -> None:
    """Mirrors ``DepthwiseConvPrepare``."""
    output, input, filter = ctx.need_output(0), ctx.need_input(0), ctx.need_input(1)
    expect_4d(ctx, input, output)
    check_4d(ctx, filter)
    channels = ctx.shape(filter)[CHANNELS]
    allocate_requantization(ctx, channels)
    if input.type == TensorType.INT8:
        check_filter_scales(ctx, filter, channels)
    types = input.type, filter.type
    check_hybrid(ctx, input.type == filter.type or types in TYPES, input, filter)
    if filter.type == TensorType.INT4:
        ctx.scratch(ctx.element_count(filter))
    calculate_op_data(ctx)
    if types not in TYPES:
        ctx.fails_at_invoke(
            f"it does not run on {input.type.name} activations with {filter.type.name} weights"
        )


def multiplied_windows(ctx: NodeContext) -> tuple[Windows, int] | None:
    """The windows and the number of outputs of each channel, None for other shapes."""
    filter = ctx.input(1)
    if filter is None or len(ctx.shape(filter)) != 4:
        return None
    _, height, width, _ = ctx.shape(filter)
    windows = windows_of(ctx, (height, width), OPTIONS)
    if windows is None:
        return None
    multiplier = options_of(ctx, OPTIONS).get("depth_multiplier", 0)
    if multiplier < 1 or windows.out_channels != windows.in_channels * multiplier:
        return None
    return windows, multiplier


def distance(windows: Windows, multiplier: int) -> int:
    """How far writes run ahead of reads, in elements.

    Positions ascend, within them input channels, within these the outputs of each.
    """
    return by_position(windows, windows.in_channels * (multiplier - 1))


def overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    """Each position is finished before the next."""
    input, found = ctx.input(0), multiplied_windows(ctx)
    if input is None or found is None:
        return ()
    ahead = distance(*found) * RUNTIME_TYPE_BYTES[input.type]
    return (InputOverlap(0, ahead, BY_POSITION),)


def loops(ctx: NodeContext) -> Loops | None:
    return nested_loops(ctx, "depthwise")


def nested_loops(ctx: NodeContext, kernel: str) -> Loops | None:
    """Nested loops, each under the name of the kernel and its types."""
    input, filter, found = ctx.input(0), ctx.input(1), filter_axes(ctx, OPTIONS)
    if input is None or filter is None or found is None:
        return None
    rows, columns = found
    batches, _, _, channels = ctx.shape(input)
    name = f"{kernel}_{input.type.name.lower()}x{filter.type.name.lower()}"
    made = Loops()
    made.add(name, call=1, channel=batches * rows.out * columns.out * channels)
    outs = ctx.shape(filter)[3] // channels * channels
    add_nested(made, name, batches, outs, rows, columns)
    return made


def add_nested(made: Loops, name: str, batches: int, outs: int, rows: Axis, columns: Axis) -> None:
    """Counts nested loops without blocks."""
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


register(
    "DEPTHWISE_CONV_2D",
    params="TfLiteDepthwiseConvParams",
    init=allocates("ConvOpData"),
    prepare=prepare,
    count=count,
    overlap=overlap,
    loops=loops,
)
