"""Operators of older kernels, which ran on fewer types than today's."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import runs_on
from predictor.operators.kernel_set import overlay
from predictor.operators.registry import Step


def only_on(name: str, *types: TensorType) -> Step:
    """Prepares as today's reference kernel, then fails at Invoke on other types of input 0."""
    prepare = (overlay("reference").columns(name) or {}).get("prepare")

    def prepared(ctx: NodeContext) -> None:
        if prepare is not None:
            prepare(ctx)
        runs_on(ctx, ctx.need_input(0, temp=False), *types)

    return prepared
