"""TRANSPOSE with CMSIS-NN. Mirrors kernels/cmsis_nn/transpose.cc; loops are those of
arm_transpose_s8.c."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.cmsis_nn import register
from predictor.operators.context import NodeContext
from predictor.operators.loops import Loops, movement
from predictor.operators.loops.elements import kernel_name
from predictor.operators.reference.transpose import prepare

_MAX_INT8_RANK = 4


def _prepare(ctx: NodeContext) -> None:
    prepare(ctx)
    input = ctx.input(0)
    assert input is not None
    rank = len(ctx.shape(input))
    if input.type == TensorType.INT8 and rank > _MAX_INT8_RANK:
        ctx.note(f"CMSIS-NN leaves the output of an int8 TRANSPOSE of {rank} dimensions as it is")


def _loops(ctx: NodeContext) -> Loops | None:
    """Nested loops over the dimensions of an int8 input, else over those of the output."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None or input.type != TensorType.INT8:
        return movement.transpose(ctx)
    shape = ctx.shape(input)
    kind = "_matrix" if len(shape) == 2 else ""
    return movement.nest(f"cmsis_{kernel_name(ctx)}{kind}", shape)


register("TRANSPOSE", prepare=_prepare, loops=_loops)
