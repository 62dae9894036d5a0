"""ADD, which takes int32 as well, and SELECT in both versions. Mirrors kernels/add.cc,
add_common.cc and select.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.around import after
from predictor.operators.checks import ensure_same_type, need_counts
from predictor.operators.cmsis_nn.add import prepare as prepare_add
from predictor.operators.context import NodeContext
from predictor.operators.edge_impulse import register
from predictor.operators.evaluation import allocates
from predictor.operators.registry import count_outputs

_MIXED_UP = (
    "its kernel takes the first choice for the condition and the condition for the second choice: "
    "the result is wrong"
)


def _prepare_add(ctx: NodeContext) -> None:
    prepare_add(ctx)
    if ctx.need_output(0, temp=False).type == TensorType.INT32:
        ctx.note("its int32 kernel reads limits and scales that nothing sets: the result is wrong")


def _prepare_select(ctx: NodeContext) -> None:
    need_counts(ctx, 3, 1)
    condition, x, y = ctx.need_input(0), ctx.need_input(1), ctx.need_input(2)
    output = ctx.need_output(0)
    ctx.ensure_type(condition, TensorType.BOOL)
    ensure_same_type(ctx, x, y)
    shapes = [ctx.shape(tensor) for tensor in (condition, x, y)]
    is_scalar = all(ctx.element_count(tensor) == 1 for tensor in (condition, x, y, output))
    if not is_scalar and not shapes[0] == shapes[1] == shapes[2]:
        ctx.ensure(shapes[0] in ((), shapes[1][:1]), "the condition must be one value or a row")
        ctx.ensure(shapes[1] == shapes[2], "both choices must have one shape")
    ctx.note(_MIXED_UP)


register("ADD", prepare=_prepare_add)
register("SELECT", init=allocates("OpDataSelect"), prepare=_prepare_select, count=count_outputs)
register("SELECT_V2", around=after(lambda ctx: ctx.note(_MIXED_UP)))
