"""SPLIT, SPLIT_V. Mirrors kernels/split.cc and split_v.cc."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import constant_int32, ensure_constant
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import runs_on
from predictor.operators.loops import movement
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs


def _prepare_split(ctx: NodeContext) -> None:
    _check(ctx, axis=ctx.need_input(0), input=ctx.input(1))


def _prepare_split_v(ctx: NodeContext) -> None:
    ctx.ensure(len(ctx.op.inputs) == 3, f"it has {len(ctx.op.inputs)} inputs, not 3")
    _check(ctx, axis=ctx.need_input(2), input=ctx.input(0))


def _check(ctx: NodeContext, axis: Tensor, input: Tensor | None) -> None:
    """Prepare looks at the axis only; what is wrong with the rest shows when the model runs."""
    ensure_constant(ctx, axis, "axis")
    (value,) = constant_int32(ctx, axis, 1)
    if input is None:
        ctx.fails_at_invoke("its input is missing, and TFLM does not check for that")
        return
    rank = len(ctx.shape(input))
    if not -rank <= value < rank:
        ctx.fails_at_invoke(f"axis {value} is not one of {rank}")
    runs_on(ctx, input, TensorType.FLOAT32, TensorType.INT8, TensorType.INT16, TensorType.INT32)


register(
    "SPLIT",
    params="TfLiteSplitParams",
    prepare=_prepare_split,
    count=count_outputs,
    loops=movement.split,
)
register(
    "SPLIT_V",
    params="TfLiteSplitVParams",
    prepare=_prepare_split_v,
    count=count_outputs,
    loops=movement.split,
)
