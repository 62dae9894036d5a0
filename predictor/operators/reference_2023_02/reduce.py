"""REDUCE_MAX when it did not keep the zero points that it compares. Mirrors
kernels/reduce_common.cc."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.around import after
from predictor.operators.context import NodeContext
from predictor.operators.reference_2023_02 import register


def _note_zero_points(ctx: NodeContext) -> None:
    if ctx.need_input(0, temp=False).type == TensorType.INT8:
        ctx.note("its int8 kernel compares zero points that nothing sets: it may fail when it runs")


register("REDUCE_MAX", "REDUCE_MIN", around=after(_note_zero_points))
