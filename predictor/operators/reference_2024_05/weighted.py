"""Layers with weights before they had scales for each channel of FULLY_CONNECTED. Mirrors
kernels/fully_connected_common.cc, depthwise_conv_common.cc, cmsis_nn/fully_connected.cc,
cmsis_nn/transpose_conv.cc and, for BATCH_MATMUL, the reference kernel, which was the only one."""

from __future__ import annotations

from math import prod

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import ensure_same_type
from predictor.operators.context import NodeContext
from predictor.operators.convolution import allocate_requantization, check_hybrid
from predictor.operators.evaluation import runs_on
from predictor.operators.fixed_point import check_activation_range
from predictor.operators.kernel_set import overlay
from predictor.operators.parsing import fused_activation
from predictor.operators.quantized import INT32_BYTES, zero_point
from predictor.operators.reference.fully_connected import calculate_op_data, is_per_channel
from predictor.operators.reference_2024_05 import register
from predictor.operators.registry import Step

_INT8, _INT16 = TensorType.INT8, TensorType.INT16
_WEIGHTS = {
    TensorType.FLOAT32: (TensorType.FLOAT32,),
    _INT8: (_INT8, TensorType.INT4),
    _INT16: (_INT8,),
}


def today(name: str, kernels: str = "reference") -> Step:
    """Prepare of a kernel as it is today."""
    prepare = (overlay(kernels).columns(name) or {}).get("prepare")
    assert prepare is not None
    return prepare


def prepare_connected_buffers(
    ctx: NodeContext, input: Tensor, filter: Tensor, output: Tensor
) -> None:
    """CMSIS-NN's: run as 1x1 convolution, multiplier and shift of each channel are kept."""
    if input.type == _INT16:
        for tensor in (input, output):
            ctx.ensure(zero_point(tensor) == 0, f"int16 tensor {tensor.name!r} needs zero point 0")
    shape, depth = ctx.shape(output), (ctx.shape(filter) or (0,))[-1]
    if input.type == _INT8 and len(shape) > 2 and depth % 4 == 0:
        allocate_requantization(ctx, shape[-1])


def _prepare_connected(ctx: NodeContext) -> None:
    input, filter, bias = ctx.need_input(0), ctx.need_input(1), ctx.temp_input(2)
    output = ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    is_cmsis_nn = ctx.kernels == "cmsis_nn"
    if not is_cmsis_nn:
        check_hybrid(ctx, filter.type in _WEIGHTS.get(input.type, ()), input, filter)
        if filter.type == TensorType.INT4:
            ctx.scratch(ctx.element_count(filter))
    ctx.ensure(not is_per_channel(filter), "per-channel weights are not supported")
    calculate_op_data(ctx, input, filter, bias, output)
    if input.type != TensorType.FLOAT32:
        check_activation_range(ctx, fused_activation(ctx, "FullyConnectedOptions"), output)
    if is_cmsis_nn and filter.type != TensorType.INT4:
        prepare_connected_buffers(ctx, input, filter, output)
    runs_on(ctx, input, *_WEIGHTS)


def _prepare_depthwise(ctx: NodeContext) -> None:
    ctx.ensure(ctx.input(2) is not None, "TFLM crashes on a depthwise layer without bias")
    today("DEPTHWISE_CONV_2D", ctx.kernels)(ctx)


def _prepare_transposed(ctx: NodeContext) -> None:
    """Built, as here, without KERNELS_OPTIMIZED_FOR_SPEED or _SIZE, int8 has no kernel."""
    before = len(ctx.scratch_bytes)
    today("TRANSPOSE_CONV")(ctx)
    input, output = ctx.need_input(2, temp=False), ctx.need_output(0, temp=False)
    if ctx.kernels == "cmsis_nn" and input.type == _INT8:
        ctx.scratch_bytes[before:] = [prod(ctx.shape(output)[1:]) * INT32_BYTES]
        ctx.fails_at_invoke("it was built without a choice of speed or size, which int8 needs")


def _prepare_product(ctx: NodeContext) -> None:
    as_reference(ctx, today("BATCH_MATMUL"))


def as_reference(ctx: NodeContext, prepare: Step) -> None:
    """Prepares with the reference kernel, where CMSIS-NN had none in its place."""
    kernels, ctx.kernels = ctx.kernels, "reference"
    try:
        prepare(ctx)
    finally:
        ctx.kernels = kernels


register("BATCH_MATMUL", prepare=_prepare_product)
register("DEPTHWISE_CONV_2D", prepare=_prepare_depthwise)
register("FULLY_CONNECTED", prepare=_prepare_connected)
register("TRANSPOSE_CONV", prepare=_prepare_transposed)
