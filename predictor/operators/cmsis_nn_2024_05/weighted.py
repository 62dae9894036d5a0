"""FULLY_CONNECTED and TRANSPOSE_CONV. Mirrors kernels/cmsis_nn/fully_connected.cc and
kernels/cmsis_nn/transpose_conv.cc."""

from __future__ import annotations

from math import prod

from predictor.model.graph import Tensor, TensorType
from predictor.operators.around import after
from predictor.operators.checks import ensure_same_type
from predictor.operators.cmsis_nn_2024_05 import register
from predictor.operators.context import NodeContext
from predictor.operators.convolution import allocate_requantization
from predictor.operators.quantized import INT32_BYTES, ensure_symmetric
from predictor.operators.reference_2024_05.weighted import calculate_connected, check_unrefused

UNLOOKED = TensorType.FLOAT32, TensorType.INT16
"""Activations with which FULLY_CONNECTED never looks at the type of its weights."""


def request_connected_buffers(
    ctx: NodeContext, input: Tensor, filter: Tensor, output: Tensor
) -> None:
    """Run as 1x1 convolution, it keeps multiplier and shift of each channel."""
    if input.type == TensorType.INT16:
        ensure_symmetric(ctx, input, output)
    shape, depth = ctx.shape(output), (ctx.shape(filter) or (0,))[-1]
    if input.type == TensorType.INT8 and len(shape) > 2 and depth % 4 == 0:
        allocate_requantization(ctx, shape[-1])


def _prepare_connected(ctx: NodeContext) -> None:
    input, filter = ctx.need_input(0), ctx.need_input(1)
    bias, output = ctx.temp_input(2), ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    calculate_connected(ctx, input, filter, bias, output)
    if filter.type != TensorType.INT4:
        request_connected_buffers(ctx, input, filter, output)
    check_unrefused(ctx, input, filter, *UNLOOKED)


def _without_int8(ctx: NodeContext) -> None:
    """Built, as here, without KERNELS_OPTIMIZED_FOR_SPEED or _SIZE, int8 has no kernel."""
    input, output = ctx.need_input(2, temp=False), ctx.need_output(0, temp=False)
    if input.type == TensorType.INT8:
        ctx.scratch_bytes[:] = [prod(ctx.shape(output)[1:]) * INT32_BYTES]
        ctx.fails_at_invoke("it was built without a choice of speed or size, which int8 needs")


register("FULLY_CONNECTED", prepare=_prepare_connected)
register("TRANSPOSE_CONV", around=after(_without_int8))
