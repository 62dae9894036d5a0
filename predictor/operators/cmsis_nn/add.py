"""ADD with CMSIS-NN, which checks more. Mirrors kernels/cmsis_nn/add.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.checks import ensure_same_type
from predictor.operators.cmsis_nn import register
from predictor.operators.context import NodeContext
from predictor.operators.quantized import ensure_symmetric
from predictor.operators.reference.broadcast import ARITHMETIC_TYPES, calculate_sum, need_tensors


def prepare(ctx: NodeContext) -> None:
    input1, input2, output = need_tensors(ctx)
    ensure_same_type(ctx, input1, output)
    ctx.ensure_type(input1, *ARITHMETIC_TYPES)
    ensure_same_type(ctx, input1, input2)
    if input1.type == TensorType.INT16:
        ensure_symmetric(ctx, input1, input2, output)
    calculate_sum(ctx, input1, input2, output)


register("ADD", prepare=prepare)
