"""Layers with weights before they had scales for each channel of FULLY_CONNECTED. Mirrors
kernels/fully_connected_common.cc, depthwise_conv_common.cc and, for BATCH_MATMUL, the reference
kernel, which was the only one."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.around import before
from predictor.operators.checks import ensure_same_type
from predictor.operators.context import NodeContext
from predictor.operators.convolution import check_hybrid
from predictor.operators.evaluation import runs_on
from predictor.operators.fixed_point import check_activation_range
from predictor.operators.parsing import fused_activation
from predictor.operators.reference import matmul
from predictor.operators.reference.fully_connected import calculate_op_data, is_per_channel
from predictor.operators.reference_2024_05 import register

_WEIGHTS = {
    TensorType.FLOAT32: (TensorType.FLOAT32,),
    TensorType.INT8: (TensorType.INT8, TensorType.INT4),
    TensorType.INT16: (TensorType.INT8,),
}


def _prepare_connected(ctx: NodeContext) -> None:
    input, filter = ctx.need_input(0), ctx.need_input(1)
    bias, output = ctx.temp_input(2), ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    check_hybrid(ctx, filter.type in _WEIGHTS.get(input.type, ()), input, filter)
    if filter.type == TensorType.INT4:
        ctx.scratch(ctx.element_count(filter))
    calculate_connected(ctx, input, filter, bias, output)
    runs_on(ctx, input, *_WEIGHTS)


def calculate_connected(
    ctx: NodeContext, input: Tensor, filter: Tensor, bias: Tensor | None, output: Tensor
) -> None:
    """Mirrors ``CalculateOpDataFullyConnected``."""
    ctx.ensure(not is_per_channel(filter), "per-channel weights are not supported")
    calculate_op_data(ctx, input, filter, bias, output)
    if input.type != TensorType.FLOAT32:
        check_activation_range(ctx, fused_activation(ctx, "FullyConnectedOptions"), output)


def check_unrefused(ctx: NodeContext, input: Tensor, filter: Tensor, *unlooked: TensorType) -> None:
    """What Eval does where Prepare refuses no types.

    Args:
        unlooked: activations with which it never looks at the type of the weights.
    """
    runs_on(ctx, input, *_WEIGHTS)
    if filter.type in _WEIGHTS.get(input.type, (filter.type,)):
        return
    kinds = f"{input.type.name} activations with {filter.type.name} weights"
    if input.type in unlooked:
        ctx.note(f"hybrid: TFLM accepts and runs it, and what it computes is wrong: {kinds}")
    else:
        ctx.fails_at_invoke(f"hybrid models pass AllocateTensors, but {kinds} do not run")


def _need_bias(ctx: NodeContext) -> None:
    ctx.ensure(ctx.input(2) is not None, "TFLM crashes on a depthwise layer without bias")


register("BATCH_MATMUL", prepare=matmul.prepare)
register("DEPTHWISE_CONV_2D", around=before(_need_bias))
register("FULLY_CONNECTED", prepare=_prepare_connected)
