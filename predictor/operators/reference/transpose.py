"""TRANSPOSE. Mirrors kernels/transpose_common.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.checks import (
    constant_int32,
    ensure_constant,
    ensure_rank,
    ensure_same_type,
    need_counts,
)
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import runs_on
from predictor.operators.loops import movement
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs

_MAX_RANK = 5


def prepare(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    input, perm, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ensure_rank(ctx, input, 0, _MAX_RANK)
    ensure_same_type(ctx, input, output)
    ensure_constant(ctx, perm, "permutation")
    ensure_rank(ctx, perm, 1)
    rank = len(ctx.shape(input))
    ctx.ensure(
        ctx.shape(perm) == (rank,),
        f"the permutation has {ctx.shape(perm)[0]} entries for {rank} dimensions",
    )
    axes = constant_int32(ctx, perm, rank)
    ctx.ensure(
        all(0 <= axis < rank for axis in axes), f"the permutation {list(axes)} is out of bounds"
    )
    runs_on(ctx, input, TensorType.FLOAT32, TensorType.INT8, TensorType.INT16)


register("TRANSPOSE", prepare=prepare, count=count_outputs, loops=movement.transpose)
