"""Prepare of a kernel that does what the one in whose place it stands does, and more."""

from __future__ import annotations

from collections.abc import Callable

from predictor.model.graph import TensorType
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import runs_on
from predictor.operators.registry import Step

Around = Callable[[Step | None], Step]
"""Makes Prepare from the step of the kernel below, None where that has none."""


def before(step: Step) -> Around:
    """First what ``step`` does, then the kernel below."""
    return lambda below: _in_turn(step, below)


def after(step: Step) -> Around:
    """First what the kernel below does, then ``step``."""
    return lambda below: _in_turn(below, step)


def _in_turn(*steps: Step | None) -> Step:
    def prepare(ctx: NodeContext) -> None:
        for step in steps:
            if step is not None:
                step(ctx)

    return prepare


def only_on(*types: TensorType) -> Around:
    """For kernels that ran on fewer types of input 0: they fail at Invoke on others."""
    return after(lambda ctx: runs_on(ctx, ctx.need_input(0, temp=False), *types))
