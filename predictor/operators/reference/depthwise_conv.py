"""DEPTHWISE_CONV_2D. Mirrors kernels/depthwise_conv_common.cc and kernels/depthwise_conv.cc."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.model.graph import TensorType
from predictor.operators import depthwise_order as order
from predictor.operators.access_order import InputOverlap, Windows, windows_of
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
from predictor.operators.loops.depthwise import loops
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


def overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    """Each position is finished before the next."""
    input, found = ctx.input(0), multiplied_windows(ctx)
    if input is None or found is None:
        return ()
    distance = order.reference(*found) * RUNTIME_TYPE_BYTES[input.type]
    return (InputOverlap(0, distance, BY_POSITION),)


register(
    "DEPTHWISE_CONV_2D",
    params="TfLiteDepthwiseConvParams",
    init=allocates("ConvOpData"),
    prepare=prepare,
    count=count,
    overlap=overlap,
    loops=loops,
)
