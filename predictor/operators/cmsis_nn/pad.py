"""PAD and PADV2 with CMSIS-NN. Mirrors kernels/cmsis_nn/pad.cc, which prepares as the reference
kernel."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.model.graph import TensorType
from predictor.operators.access_order import InputOverlap
from predictor.operators.cmsis_nn import register
from predictor.operators.context import NodeContext
from predictor.operators.reference.pad import padded_overlap


def _overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    input = ctx.input(0)
    return padded_overlap(ctx, input is not None and input.type == TensorType.INT8)


register("PAD", "PADV2", overlap=_overlap)
