"""BATCH_MATMUL, which TFLM did not have then, and CONV_2D of several groups. Mirrors
kernels/batch_matmul.cc and conv.cc."""

from __future__ import annotations

from math import prod

from predictor.model.graph import Tensor, TensorType
from predictor.operators.around import after
from predictor.operators.checks import ensure_rank, ensure_same_type, need_counts
from predictor.operators.context import NodeContext
from predictor.operators.edge_impulse import register
from predictor.operators.parsing import options_of
from predictor.operators.reference import matmul

_FLOAT32, _INT8, _INT16 = TensorType.FLOAT32, TensorType.INT8, TensorType.INT16
_RANKS = 2, 4
_WORD_BYTES = 4


def _prepare_matmul(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    lhs, rhs, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ctx.ensure_type(lhs, _FLOAT32, _INT8)
    ctx.ensure_type(rhs, _FLOAT32, _INT8)
    is_hybrid = (lhs.type, rhs.type) == (_FLOAT32, _INT8)
    if not is_hybrid:
        ensure_same_type(ctx, lhs, rhs)
    for operand in (lhs, rhs):
        ensure_rank(ctx, operand, *_RANKS)
    if is_hybrid:
        ctx.persistent_struct("HybridOpDataBatchMatmul")
    else:
        matmul.prepare_quantization(ctx, lhs, rhs, output)
    matmul.allocate_transposed(ctx, lhs, rhs)
    if is_hybrid:
        _request_hybrid_buffers(ctx, lhs, rhs)
    matmul.reshape_output(ctx, lhs, rhs, output)


def _request_hybrid_buffers(ctx: NodeContext, lhs: Tensor, rhs: Tensor) -> None:
    """The left operand in int8, scale and zero point of each of its rows, and sums of weights."""
    shape, weights = ctx.shape(lhs), ctx.shape(rhs)
    adjoint = bool(options_of(ctx, "BatchMatMulOptions").get("adj_x", False))
    rows = prod(shape[:-2]) * shape[-1 if adjoint else -2]
    ctx.scratch(ctx.element_count(lhs))
    ctx.scratch(rows * _WORD_BYTES)
    ctx.scratch(rows * _WORD_BYTES)
    ctx.persistent(prod(weights[:-2]) * weights[-1] * _WORD_BYTES)
    ctx.note("hybrid: TFLM accepts and runs it; it was not checked that the result is right")


def _check_groups(ctx: NodeContext) -> None:
    input, filter = ctx.need_input(0, temp=False), ctx.need_input(1, temp=False)
    if input.type == _INT16 and ctx.shape(input)[3] != ctx.shape(filter)[3]:
        ctx.fails_at_invoke("its int16 kernel aborts on convolutions of several groups")


register("BATCH_MATMUL", prepare=_prepare_matmul)
register("CONV_2D", around=after(_check_groups))
