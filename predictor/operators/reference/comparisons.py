"""Comparisons and logical operators on two tensors. Mirrors kernels/comparisons.cc and
logical_common.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates, runs_on, unchecked_tensors
from predictor.operators.fixed_point import check_below_one
from predictor.operators.loops import elements
from predictor.operators.quantized import scale
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs

_ORDERED = (TensorType.FLOAT32, TensorType.INT32, TensorType.INT64, TensorType.INT8)
_EVAL_TYPES = {
    "EQUAL": (TensorType.BOOL, *_ORDERED),
    "NOT_EQUAL": (TensorType.BOOL, *_ORDERED),
    "GREATER": (*_ORDERED, TensorType.INT16),
    "GREATER_EQUAL": _ORDERED,
    "LESS": _ORDERED,
    "LESS_EQUAL": _ORDERED,
}


def _prepare_comparison(ctx: NodeContext) -> None:
    input1, input2 = ctx.need_input(0), ctx.need_input(1)
    if input1.type == TensorType.INT8:
        for position, input in enumerate((input1, input2)):
            check_below_one(ctx, scale(input), f"the scale of input {position}")
    runs_on(ctx, input1, *_EVAL_TYPES[ctx.op.name])


def _prepare_logical(ctx: NodeContext) -> None:
    """TFLM has no Prepare for these, and Eval takes the tensors for BOOL without a check."""
    unchecked_tensors(ctx, 2)


register(
    "EQUAL",
    "GREATER",
    "GREATER_EQUAL",
    "LESS",
    "LESS_EQUAL",
    "NOT_EQUAL",
    init=allocates("OpDataComparisons"),
    prepare=_prepare_comparison,
    count=count_outputs,
    loops=elements.comparison,
)
register(
    "LOGICAL_AND", "LOGICAL_OR", prepare=_prepare_logical, count=count_outputs, loops=elements.loops
)
