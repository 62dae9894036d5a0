"""MEAN and SUM before they kept position and axes in scratch buffers. Mirrors
kernels/reduce_common.cc."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import runs_on
from predictor.operators.quantized import INT32_BYTES
from predictor.operators.reference.reduce import (
    check_axis,
    check_same_type_at_invoke,
    prepare_simple,
)
from predictor.operators.reference_2024_12 import register

_QUANTIZED = (TensorType.INT8, TensorType.INT16)


def _prepare(ctx: NodeContext) -> None:
    """Mirrors ``PrepareMeanOrSumHelper``: one accumulator for each output of integers."""
    input, output = ctx.need_input(0), ctx.need_output(0)
    ctx.need_input(1)
    accumulate(ctx, input, output)


def accumulate(ctx: NodeContext, input: Tensor, output: Tensor) -> None:
    """What follows when the tensors are at hand."""
    if input.type in _QUANTIZED:
        ctx.scratch(INT32_BYTES * ctx.element_count(output))
    axis = prepare_simple(ctx)
    runs_on(ctx, input, TensorType.FLOAT32, *_QUANTIZED)
    if ctx.op.name == "SUM":
        check_same_type_at_invoke(ctx, input, output)
    if input.type == TensorType.FLOAT32:
        check_axis(ctx, input, axis)


register("MEAN", "SUM", prepare=_prepare)
