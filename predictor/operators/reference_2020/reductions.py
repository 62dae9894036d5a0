"""Pooling, MEAN, ARG_MAX, ARG_MIN and L2_NORMALIZATION.

Mirrors kernels/pooling.cc, reduce.cc, arg_min_max.cc and l2norm.cc.
"""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.checks import need_counts
from predictor.operators.constants import constant_values
from predictor.operators.context import NodeContext
from predictor.operators.reference_2020 import register
from predictor.operators.reference_2020.evaluation import MAX_RANK, expect_4d, limit_rank
from predictor.operators.reference_2020.parsing import check_element_type

_FLOAT32, _INT32, _INT8, _UINT8 = (
    TensorType.FLOAT32,
    TensorType.INT32,
    TensorType.INT8,
    TensorType.UINT8,
)
_IMAGE_AXES = ((1, 2), (2, 1))
"""Height and width: the axes over which MEAN can be taken."""


def _evaluate_pool(ctx: NodeContext) -> None:
    input, output = ctx.need_input(0), ctx.need_output(0)
    ctx.ensure_type(input, _FLOAT32, _UINT8, _INT8)
    limit_rank(ctx, MAX_RANK, input, output)
    expect_4d(ctx, input, output)


def _prepare_mean(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    ctx.ensure_type(ctx.need_input(1), _INT32)


def _evaluate_mean(ctx: NodeContext) -> None:
    input, axis = ctx.need_input(0), ctx.need_input(1)
    ctx.ensure_type(input, _FLOAT32)
    axes = constant_values(ctx, axis)
    ctx.ensure(
        len(ctx.shape(input)) == 4
        and ctx.element_count(axis) == 2
        and (axes is None or axes in _IMAGE_AXES),
        "it takes the mean over height and width of 4 dimensions only",
    )


def _prepare_arg_max(ctx: NodeContext) -> None:
    check_element_type(ctx, "ArgMaxOptions", "output_type")


def _prepare_arg_min(ctx: NodeContext) -> None:
    check_element_type(ctx, "ArgMinOptions", "output_type")


def _evaluate_arg_min_max(ctx: NodeContext) -> None:
    input, axis, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ctx.ensure_type(axis, _INT32)
    ctx.ensure_type(output, _INT32)
    ctx.ensure_type(input, _FLOAT32, _UINT8, _INT8)
    limit_rank(ctx, MAX_RANK, input, output)


def _evaluate_l2_normalization(ctx: NodeContext) -> None:
    """Its Prepare checks nothing unless DEBUG is defined."""
    input, output = ctx.need_input(0), ctx.need_output(0)
    ctx.ensure_type(output, _FLOAT32, _UINT8, _INT8)
    limit_rank(ctx, MAX_RANK, input, output)


register(
    "AVERAGE_POOL_2D",
    "MAX_POOL_2D",
    params="TfLitePoolParams",
    evaluate=_evaluate_pool,
    highest_version=2,
)
register("MEAN", params="TfLiteReducerParams", prepare=_prepare_mean, evaluate=_evaluate_mean)
register(
    "ARG_MAX",
    params="TfLiteArgMaxParams",
    prepare=_prepare_arg_max,
    evaluate=_evaluate_arg_min_max,
)
register(
    "ARG_MIN",
    params="TfLiteArgMinParams",
    prepare=_prepare_arg_min,
    evaluate=_evaluate_arg_min_max,
)
register(
    "L2_NORMALIZATION",
    params="TfLiteL2NormParams",
    evaluate=_evaluate_l2_normalization,
)
