"""TRANSPOSE_CONV. Mirrors kernels/transpose_conv.cc and reference/integer_ops/transpose_conv.h.

Input 0, the output's shape, is never read.
"""

from __future__ import annotations

from predictor.model.geometry import padding_of
from predictor.model.graph import TensorType
from predictor.operators.checks import need_counts
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    allocate_requantization,
    check_filter_scales,
    check_hybrid,
    expect_4d,
    populate_quantization,
)
from predictor.operators.evaluation import allocates, runs_on
from predictor.operators.loops import Loops
from predictor.operators.loops.windows import Axis, is_of_sane_size
from predictor.operators.parsing import check_element_types, fused_activation, options_of
from predictor.operators.quantized import INT32_BYTES, INT64_BYTES
from predictor.operators.reference import register
from predictor.operators.registry import OpCount

OPTIONS = "TransposeConvOptions"
QUANTIZED = (TensorType.INT8, TensorType.INT16)
TYPES = (
    (TensorType.FLOAT32, TensorType.FLOAT32),
    (TensorType.INT16, TensorType.INT8),
    (TensorType.INT8, TensorType.INT8),
)


def count(ctx: NodeContext) -> OpCount:
    """One MAC for each tap and output channel of each input element."""
    filter, input = ctx.input(1), ctx.input(2)
    if filter is None or input is None or len(ctx.shape(filter)) < 3:
        return OpCount()
    channels, height, width = ctx.shape(filter)[:3]
    return OpCount(ctx.element_count(input) * height * width * channels)


def prepare(ctx: NodeContext) -> None:
    check_element_types(ctx, OPTIONS, "quantized_bias_type")
    output, input, filter = ctx.need_output(0), ctx.need_input(2), ctx.need_input(1)
    is_known = input.type == filter.type or (input.type, filter.type) in TYPES
    check_hybrid(ctx, is_known, input, filter)
    expect_4d(ctx, input, filter, output)
    ctx.ensure(len(ctx.shape(filter)) > 0, "the filter is a scalar")
    channels = ctx.shape(filter)[0]
    allocate_requantization(ctx, channels)
    if input.type == TensorType.INT8:
        ctx.scratch(ctx.element_count(output) * INT32_BYTES)
    elif input.type == TensorType.INT16:
        ctx.scratch(ctx.element_count(output) * INT64_BYTES)
    if input.type in QUANTIZED:
        check_filter_scales(ctx, filter, channels)
    calculate_op_data(ctx, input.type, channels, None)
    runs_on(ctx, input, TensorType.FLOAT32, *QUANTIZED)
    if input.type != output.type:
        ctx.fails_at_invoke(f"input is {input.type.name} but output is {output.type.name}")


def calculate_op_data(
    ctx: NodeContext, type: TensorType, channels: int, activation: int | None
) -> None:
    """Mirrors ``CalculateOpData``. ``activation``: the fused one, None for that of the options."""
    need_counts(ctx, (3, 4), 1)
    if type == TensorType.FLOAT32:
        return
    input, filter, bias = ctx.need_input(2), ctx.need_input(1), ctx.temp_input(3)
    output = ctx.need_output(0)
    if activation is None:
        activation = fused_activation(ctx, OPTIONS)
    populate_quantization(ctx, (input, filter, bias, output), channels, activation)
    if type == TensorType.INT16 and bias is not None and bias.type == TensorType.INT16:
        ctx.scratch(ctx.element_count(bias) * INT64_BYTES)


def output_axes(ctx: NodeContext) -> tuple[Axis, Axis] | None:
    """Rows and columns of the windows, None for shapes whose loops are not known.

    Seen from its output, the operator is a window of the filter's size on the larger image.
    """
    filter, input, output = ctx.input(1), ctx.input(2), ctx.output(0)
    if filter is None or input is None or output is None:
        return None
    in_shape, out_shape, filter_shape = ctx.shape(input), ctx.shape(output), ctx.shape(filter)
    if {len(in_shape), len(out_shape), len(filter_shape)} != {4}:
        return None
    options = options_of(ctx, OPTIONS)
    padding = padding_of(options, out_shape[1:3], filter_shape[1:3])
    strides = options.get("stride_h", 1), options.get("stride_w", 1)
    pads = padding.height, padding.width
    rows, columns = (
        Axis(out_shape[1 + i], filter_shape[1 + i], in_shape[1 + i], strides[i], 1, pads[i])
        for i in range(2)
    )
    if min(*strides, *in_shape, *out_shape) < 1 or not is_of_sane_size(ctx.state, rows, columns):
        return None
    return rows, columns


def loops(ctx: NodeContext) -> Loops | None:
    """Nested loops over the input, each tap added to its output."""
    input, output, found = ctx.input(2), ctx.output(0), output_axes(ctx)
    if input is None or output is None or found is None:
        return None
    rows, columns = found
    (batches, _, _, channels), outs = ctx.shape(input), ctx.shape(output)[3]
    name = f"transpose_conv_{input.type.name.lower()}"
    inputs = batches * rows.out * columns.out * channels
    inside = batches * channels * outs * rows.inside() * columns.inside()
    taps = inputs * rows.window * columns.window
    results = batches * rows.size * columns.size * outs
    made = Loops()
    made.add(name, call=1, input=inputs, line=inputs * rows.window, tap=taps)
    made.add(name, inside=inside, outside=taps * outs - inside, result=results)
    return made


register(
    "TRANSPOSE_CONV",
    params="TfLiteTransposeConvParams",
    init=allocates("TransposeConvOpData"),
    prepare=prepare,
    count=count,
    loops=loops,
)
