"""Operators on two tensors that broadcast; none has a Prepare.

Mirrors kernels/add.cc, sub.cc, mul.cc, maximum_minimum.cc, comparisons.cc and logical.cc.
"""

from __future__ import annotations

from predictor.model.floating import single
from predictor.model.graph import Tensor, TensorType
from predictor.operators.context import NodeContext
from predictor.operators.fixed_point import check_below_one
from predictor.operators.quantized import scale
from predictor.operators.reference.broadcast import check_sum_multipliers
from predictor.operators.reference_2020 import register
from predictor.operators.reference_2020.evaluation import (
    MAX_RANK,
    check_sizes,
    limit_broadcast,
    limit_rank,
)

_FLOAT32, _INT8, _UINT8 = TensorType.FLOAT32, TensorType.INT8, TensorType.UINT8
_INT32, _INT64 = TensorType.INT32, TensorType.INT64
_BYTES = (_INT8, _UINT8)
_ORDERED = (_FLOAT32, _INT32, _INT64, *_BYTES)


def _tensors(ctx: NodeContext) -> tuple[Tensor, Tensor, Tensor]:
    return ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)


def _evaluate_add(ctx: NodeContext) -> None:
    input1, input2, output = _tensors(ctx)
    ctx.ensure_type(output, _FLOAT32, *_BYTES)
    if output.type in _BYTES:
        check_sum_multipliers(ctx, input1, input2, output, float)
    limit_broadcast(ctx, (input1, input2), output)
    check_sizes(ctx, (input1, input2), output)


def _evaluate_sub(ctx: NodeContext) -> None:
    input1, input2, output = _tensors(ctx)
    ctx.ensure_type(output, _FLOAT32, *_BYTES)
    if output.type in _BYTES:
        check_sum_multipliers(ctx, input1, input2, output, single)
    limit_rank(ctx, MAX_RANK, input1, input2, output)
    check_sizes(ctx, (input1, input2), output)


def _evaluate_mul(ctx: NodeContext) -> None:
    """Errors in the activation range are passed over."""
    input1, input2, output = _tensors(ctx)
    ctx.ensure_type(input1, _FLOAT32, *_BYTES)
    limit_broadcast(ctx, (input1, input2), output)


def _evaluate_maximum_minimum(ctx: NodeContext) -> None:
    *inputs, output = _tensors(ctx)
    ctx.ensure_type(output, *_ORDERED)
    limit_rank(ctx, MAX_RANK, *inputs, output)


def _evaluate_equality(ctx: NodeContext) -> None:
    _evaluate_comparison(ctx, TensorType.BOOL, *_ORDERED)


def _evaluate_order(ctx: NodeContext) -> None:
    _evaluate_comparison(ctx, *_ORDERED)


def _evaluate_comparison(ctx: NodeContext, *types: TensorType) -> None:
    input1, input2, output = _tensors(ctx)
    ctx.ensure_type(input1, *types)
    if input1.type in _BYTES:
        for position, input in enumerate((input1, input2)):
            check_below_one(ctx, scale(input), f"the scale of input {position}")
    limit_broadcast(ctx, (input1, input2), output)


def _evaluate_logical(ctx: NodeContext) -> None:
    """The tensors are taken for BOOL without a check."""
    input1, input2, output = _tensors(ctx)
    limit_broadcast(ctx, (input1, input2), output)


register("ADD", params="TfLiteAddParams", evaluate=_evaluate_add, highest_version=2)
register("SUB", params="TfLiteSubParams", evaluate=_evaluate_sub, highest_version=2)
register("MUL", params="TfLiteMulParams", evaluate=_evaluate_mul, highest_version=3)
register("MAXIMUM", "MINIMUM", evaluate=_evaluate_maximum_minimum)
register("EQUAL", "NOT_EQUAL", evaluate=_evaluate_equality, highest_version=2)
register(
    "GREATER",
    "GREATER_EQUAL",
    "LESS",
    "LESS_EQUAL",
    evaluate=_evaluate_order,
    highest_version=2,
)
register("LOGICAL_AND", "LOGICAL_OR", evaluate=_evaluate_logical)
