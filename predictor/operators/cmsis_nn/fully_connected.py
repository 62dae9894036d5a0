"""FULLY_CONNECTED with CMSIS-NN. Mirrors kernels/cmsis_nn/fully_connected.cc and
arm_fully_connected_get_buffer_sizes_s8.c; loops are those of arm_fully_connected_wrapper_s8.c (DSP
extension, no MVE)."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.cmsis_nn import register
from predictor.operators.cmsis_nn.buffers import kernel_sum_bytes
from predictor.operators.cmsis_nn.matrix_products import product_s8, vector_s8
from predictor.operators.context import NodeContext
from predictor.operators.fixed_point import check_activation_range
from predictor.operators.loops import Loops
from predictor.operators.parsing import fused_activation
from predictor.operators.quantized import INT32_BYTES, ensure_symmetric, zero_point
from predictor.operators.reference import fully_connected
from predictor.operators.reference.fully_connected import (
    OPTIONS,
    WEIGHT_TYPES,
    calculate_op_data,
    check_hybrid_weights,
    check_tensors,
    is_per_channel,
    last,
    nested_loops,
    sizes,
)


def _prepare(ctx: NodeContext) -> None:
    input, filter, bias, output = check_tensors(ctx)
    ctx.ensure_type(input, *WEIGHT_TYPES)
    check_hybrid_weights(ctx, input, filter)
    calculate_op_data(ctx, input, filter, bias, output)
    if input.type != TensorType.FLOAT32:
        check_activation_range(ctx, fused_activation(ctx, OPTIONS), output)
    if input.type == TensorType.INT16:
        ctx.ensure(not is_per_channel(filter), "per-channel weights need INT8 activations")
        ensure_symmetric(ctx, input, output)
    elif input.type == TensorType.INT8 and filter.type == TensorType.INT8:
        outputs = last(ctx.shape(output))
        if not ctx.shape(output):
            ctx.inexact("its output is a scalar, of which TFLM reads a dimension all the same")
        if not _as_convolution(ctx, filter, output):
            _request_kernel_sums(ctx, filter, kernel_sum_bytes(ctx.core, outputs))
        elif not is_per_channel(filter):
            ctx.scratch(outputs * INT32_BYTES * 2)


def _as_convolution(ctx: NodeContext, filter: Tensor, output: Tensor) -> bool:
    """Whether it runs as 1x1 convolution, which needs multiplier and shift of each channel."""
    return len(ctx.shape(output)) > 2 and last(ctx.shape(filter)) % 4 == 0


def _request_kernel_sums(ctx: NodeContext, filter: Tensor, sum_bytes: int) -> None:
    """Sums of constant weights are computed once; else at each call, in scratch memory."""
    if not sum_bytes:
        return
    bias = ctx.input(2)
    if filter.is_constant and (bias is None or bias.is_constant):
        ctx.persistent(sum_bytes)
    else:
        ctx.scratch(sum_bytes)


def _loops(ctx: NodeContext) -> Loops | None:
    input, filter, output, found = ctx.input(0), ctx.input(1), ctx.output(0), sizes(ctx)
    if input is None or filter is None or output is None or found is None:
        return None
    if (input.type, filter.type) != (TensorType.INT8, TensorType.INT8):
        is_float = input.type == TensorType.FLOAT32
        return fully_connected.loops(ctx) if is_float else nested_loops(ctx, "cmsis_connected")
    batches, outs, depth = found
    made = Loops()
    if _as_convolution(ctx, filter, output):
        made.add("connected_1x1", call=1, channel=0 if is_per_channel(filter) else outs)
        product_s8(made, 1, batches, outs, depth, depth)
        made.streamed_bytes = outs * depth if batches == 1 else 0
        return made
    kernel = "vector_per_channel_s8" if is_per_channel(filter) else "vector_s8"
    made.add("connected_s8", call=1)
    vector_s8(made, batches, outs, depth, f"{kernel}_offset" if zero_point(filter) else kernel)
    made.streamed_bytes = batches * filter.stored_data_bytes
    return made


register("FULLY_CONNECTED", prepare=_prepare, loops=_loops)
