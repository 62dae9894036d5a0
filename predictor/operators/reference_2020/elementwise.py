"""Operators on each element, QUANTIZE and DEQUANTIZE.

Mirrors kernels/elementwise.cc, floor.cc, ceil.cc, round.cc, neg.cc, quantize.cc and
dequantize.cc.
"""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.checks import ensure_same_type, need_counts, need_one_of_each
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates
from predictor.operators.quantized import need_quantization
from predictor.operators.reference_2020 import register
from predictor.operators.reference_2020.evaluation import MAX_RANK, limit_rank
from predictor.operators.registry import Step

_FLOAT32, _INT32, _INT16, _INT8, _UINT8 = (
    TensorType.FLOAT32,
    TensorType.INT32,
    TensorType.INT16,
    TensorType.INT8,
    TensorType.UINT8,
)


def _prepare_generic(ctx: NodeContext) -> None:
    """Mirrors ``GenericPrepare``.

    Its check of the type names a function's type instead of the function, and so always passes.
    """
    need_counts(ctx, 1, 1)
    ensure_same_type(ctx, ctx.need_input(0), ctx.need_output(0))


def _evaluates(type: TensorType) -> Step:
    """An Eval that takes one type of input only."""

    def evaluate(ctx: NodeContext) -> None:
        ctx.ensure_type(ctx.need_input(0), type)

    return evaluate


def _evaluate_shaped(ctx: NodeContext) -> None:
    input, output = ctx.need_input(0), ctx.need_output(0)
    ctx.ensure_type(input, _FLOAT32)
    limit_rank(ctx, MAX_RANK, input, output)


def _prepare_rounding(ctx: NodeContext) -> None:
    input, output = need_one_of_each(ctx)
    ctx.ensure_type(input, _FLOAT32)
    ensure_same_type(ctx, input, output)
    ctx.ensure(ctx.shape(input) == ctx.shape(output), "input and output differ in shape")


def _prepare_quantize(ctx: NodeContext) -> None:
    input, output = need_one_of_each(ctx)
    ctx.ensure(
        not need_quantization(ctx, output).is_per_channel,
        "the output must not be quantised per channel",
    )
    ctx.ensure_type(input, _FLOAT32, _INT16)
    ctx.ensure_type(output, _UINT8, _INT8)


def _evaluate_quantize(ctx: NodeContext) -> None:
    input, output = ctx.need_input(0), ctx.need_output(0)
    if input.type == _INT16:
        ctx.ensure_type(output, _INT8)
    else:
        limit_rank(ctx, MAX_RANK, input, output)


def _prepare_dequantize(ctx: NodeContext) -> None:
    need_counts(ctx, 1, 1)
    ctx.ensure_type(ctx.need_input(0), _UINT8, _INT8, _INT16)
    ctx.ensure_type(ctx.need_output(0), _FLOAT32, _INT32)


def _evaluate_dequantize(ctx: NodeContext) -> None:
    input, output = ctx.need_input(0), ctx.need_output(0)
    if output.type == _INT32:
        ctx.ensure_type(input, _INT16, _INT8)
    limit_rank(ctx, MAX_RANK, input, output)


register(
    "ABS",
    "COS",
    "LOG",
    "RSQRT",
    "SIN",
    "SQRT",
    "SQUARE",
    prepare=_prepare_generic,
    evaluate=_evaluates(_FLOAT32),
)
register("LOGICAL_NOT", prepare=_prepare_generic, evaluate=_evaluates(TensorType.BOOL))
register("FLOOR", "NEG", evaluate=_evaluate_shaped)
register("CEIL", "ROUND", prepare=_prepare_rounding, evaluate=_evaluate_shaped)
register(
    "QUANTIZE",
    init=allocates("OpDataQuantize"),
    prepare=_prepare_quantize,
    evaluate=_evaluate_quantize,
)
register(
    "DEQUANTIZE",
    init=allocates("OpDataQuantize"),
    prepare=_prepare_dequantize,
    evaluate=_evaluate_dequantize,
    highest_version=2,
)
