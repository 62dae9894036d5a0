"""MAXIMUM and MINIMUM with CMSIS-NN. Mirrors kernels/cmsis_nn/maximum_minimum.cc."""

from __future__ import annotations

from predictor.operators.cmsis_nn import register
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import aborts_beyond_rank
from predictor.operators.reference.broadcast import prepare_maximum_minimum


def _prepare(ctx: NodeContext) -> None:
    """Shapes are extended before the type is looked at, so their limit holds for all types."""
    tensors = prepare_maximum_minimum(ctx)
    if tensors is not None:
        aborts_beyond_rank(ctx, 4, *tensors)


register("MAXIMUM", "MINIMUM", prepare=_prepare)
