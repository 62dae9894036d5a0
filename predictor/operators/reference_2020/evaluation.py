"""Checks of Eval that many kernels share. Mirrors kernels/internal/types.h and common.h."""

from __future__ import annotations

from predictor.model.graph import Tensor
from predictor.operators.context import NodeContext

MAX_RANK = 5
"""Dimensions that a ``RuntimeShape`` holds without a heap; with more TFLM aborts."""
BROADCAST_RANK = 4
"""Dimensions to which most kernels extend the shapes of tensors that broadcast."""


def limit_rank(ctx: NodeContext, limit: int, *tensors: Tensor) -> None:
    """Mirrors the abort of ``RuntimeShape`` on shapes of more dimensions."""
    rank = max(len(ctx.shape(tensor)) for tensor in tensors)
    ctx.ensure(rank <= limit, f"TFLM aborts on {rank} dimensions; it takes {limit} at most")


def limit_broadcast(ctx: NodeContext, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    """Inputs of equal shapes are taken element by element, others broadcast in few dimensions."""
    first, second = inputs
    is_broadcast = ctx.shape(first) != ctx.shape(second)
    limit_rank(ctx, BROADCAST_RANK if is_broadcast else MAX_RANK, first, second, output)


def check_sizes(ctx: NodeContext, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    """Mirrors ``MatchingElementsSize``, which aborts where nothing broadcasts and sizes differ."""
    first, second = inputs
    ctx.ensure(
        ctx.shape(first) != ctx.shape(second)
        or ctx.element_count(first) == ctx.element_count(output),
        "TFLM aborts: inputs and output differ in size",
    )


def expect_4d(ctx: NodeContext, *tensors: Tensor) -> None:
    """Warns of tensors of less than 4 dimensions, of which TFLM reads 4 without a check."""
    for tensor in tensors:
        rank = len(ctx.shape(tensor))
        if rank < 4:
            ctx.note(
                f"tensor {tensor.name!r} has {rank} dimensions, of which this TFLM reads 4: "
                "results can be wrong"
            )
