"""BATCH_MATMUL with CMSIS-NN. Mirrors kernels/cmsis_nn/batch_matmul.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.cmsis_nn import register
from predictor.operators.cmsis_nn.buffers import kernel_sum_bytes
from predictor.operators.context import NodeContext
from predictor.operators.reference.matmul import (
    allocate_transposed,
    check_operands,
    prepare_quantization,
    reshape_output,
)


def _prepare(ctx: NodeContext) -> None:
    lhs, rhs, output = check_operands(ctx, 4)
    allocate_transposed(ctx, lhs, rhs)
    reshape_output(ctx, lhs, rhs, output)
    prepare_quantization(ctx, lhs, rhs, output)
    sum_bytes = kernel_sum_bytes(ctx.core, ctx.shape(output)[-1])
    if lhs.type == TensorType.INT8 and sum_bytes:
        ctx.scratch(sum_bytes)


register("BATCH_MATMUL", prepare=_prepare)
