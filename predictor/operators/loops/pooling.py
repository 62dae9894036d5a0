"""Pooling. Follows arm_avgpool_s8 and arm_max_pool_s8 of CMSIS-NN and the reference kernels."""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.context import NodeContext
from predictor.operators.loops import Loops
from predictor.operators.loops.c_library import copy
from predictor.operators.loops.windows import axes
from predictor.operators.parsing import options_of

_OPTIONS = "Pool2DOptions"


def loops(ctx: NodeContext) -> Loops | None:
    """Loops of the kernel that a pooling runs."""
    input, options = ctx.input(0), options_of(ctx, _OPTIONS)
    window = options.get("filter_height", 0), options.get("filter_width", 0)
    found = axes(ctx, _OPTIONS, window, dilated=False)
    if input is None or found is None:
        return None
    rows, columns = found
    batches, _, _, channels = ctx.shape(input)
    pixels = batches * rows.out * columns.out
    inside = batches * rows.inside() * columns.inside()
    lines = batches * rows.inside() * columns.out
    made = Loops()
    name = f"{ctx.op.name.lower()}_{input.type.name.lower()}"
    if ctx.kernels == "cmsis_nn" and input.type == TensorType.INT8:
        name = f"cmsis_{name}"
        made.add(name, call=1, pixel=pixels, line=lines, tap=inside - pixels)
        if ctx.op.name == "AVERAGE_POOL_2D":
            made.add(name, first=pixels * channels, further=(inside - pixels) * channels)
        else:
            copy(made, pixels, channels)
            taps, outs = inside - pixels, pixels * channels
            made.add(name, quad=taps * (channels // 4), single=taps * (channels % 4))
            made.add(name, clamp_quad=outs // 4, clamp_single=outs % 4)
            if channels % 4:
                made.unaligned_loads += taps * (channels // 4) * 3 // 2
        return made
    results = pixels * channels
    made.add(name, call=1, pixel=pixels, result=results)
    made.add(name, line=lines * channels, tap=inside * channels)
    return made
