"""SOFTMAX with CMSIS-NN. Mirrors kernels/cmsis_nn/softmax.cc, which prepares as the reference
kernel."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.model.graph import TensorType
from predictor.operators.access_order import InputOverlap
from predictor.operators.cmsis_nn import register
from predictor.operators.context import NodeContext
from predictor.operators.reference.softmax import overlap


def _overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    """The kernel for int16 is not known."""
    input = ctx.input(0)
    return () if input is not None and input.type == TensorType.INT16 else overlap(ctx)


register("SOFTMAX", overlap=_overlap)
