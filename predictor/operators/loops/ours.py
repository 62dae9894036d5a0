"""Operators with the project's own kernels. Follows kernels/src/mn_convolution.c, mn_depthwise.c
and mn_fully_connected.c."""

from __future__ import annotations

from math import prod

from predictor.model.graph import TensorType
from predictor.operators.context import NodeContext
from predictor.operators.loops import Loops, elements
from predictor.operators.loops.windows import Axis, axes

_POSITIONS = 4
"""Columns that one pass over the weights serves."""


def conv(ctx: NodeContext) -> Loops | None:
    """``mn_convolution_run``: columns of 16-bit inputs, four positions at a time."""
    input, filter = ctx.input(0), ctx.input(1)
    if input is None or filter is None or len(ctx.shape(filter)) != 4:
        return None
    outs, window_h, window_w, depth = ctx.shape(filter)
    found = axes(ctx, "Conv2DOptions", (window_h, window_w))
    if found is None:
        return None
    rows, columns = found
    batches, channels = ctx.shape(input)[0], ctx.shape(input)[3]
    groups = channels // depth if depth else 0
    made = Loops()
    name = f"ours_conv_{_weights(ctx)}"
    pixels = batches * groups * rows.out * columns.out
    lines = batches * groups * rows.inside() * columns.out
    inside = batches * groups * rows.inside() * columns.inside() * depth
    taps = window_h * window_w * depth
    made.add(name, call=1, channel=outs, pixel=pixels, line=lines)
    is_pointwise = window_h * window_w == 1
    made.add(f"{name}.{'pointwise' if is_pointwise else 'patch'}", inside=inside)
    made.add(name, outside=pixels * taps - inside)
    _products(made, name, pixels, outs // max(1, groups), taps)
    return made


def _products(made: Loops, name: str, positions: int, rows: int, depth: int) -> None:
    """``mn_matmul_x4`` on four positions, ``mn_matmul_x1`` on what is left of them."""
    group = 8 if name.endswith("int4") else 4
    blocks, left = divmod(positions, _POSITIONS)
    steps, rest = divmod(depth, 4 * group)
    singles, overlap = divmod(rest, group)
    for kind, passes in (("x4", blocks), ("x1", left)):
        runs = passes * rows
        made.add(f"{name}.{kind}", call=passes, row=runs, block=runs * steps)
        made.add(f"{name}.{kind}", single=runs * singles, overlap=runs if overlap else 0)


def depthwise(ctx: NodeContext) -> Loops | None:
    """``mn_depthwise_run``: four channels at a time, taps in pairs."""
    input, filter = ctx.input(0), ctx.input(1)
    if input is None or filter is None or len(ctx.shape(filter)) != 4:
        return None
    _, window_h, window_w, outs = ctx.shape(filter)
    found = axes(ctx, "DepthwiseConv2DOptions", (window_h, window_w))
    if found is None:
        return None
    rows, columns = found
    batches, channels = ctx.shape(input)[0], ctx.shape(input)[3]
    is_fast = outs == channels and outs >= _POSITIONS
    name = f"ours_depthwise_{'quads' if is_fast else 'lanes'}_{_weights(ctx)}"
    quads = -(-outs // _POSITIONS)
    pixels = batches * rows.out * columns.out
    inside = batches * rows.inside() * columns.inside()
    edges = pixels - batches * _whole(rows) * _whole(columns)
    made = Loops()
    made.add(name, call=1, line=batches * rows.out, pixel=pixels, edge=edges)
    made.add(name, prepared=quads * window_h * window_w, quad=pixels * quads, tap=inside * quads)
    return made


def _whole(axis: Axis) -> int:
    """Output positions whose window lies inside."""
    reach = (axis.window - 1) * axis.dilation
    return sum(
        1
        for out in range(axis.out)
        if out * axis.stride - axis.pad >= 0 and out * axis.stride - axis.pad + reach < axis.size
    )


def fully_connected(ctx: NodeContext) -> Loops | None:
    """``mn_fully_connected_run``: a column for each batch, one position at a time."""
    filter, output = ctx.input(1), ctx.output(0)
    if filter is None or output is None or len(ctx.shape(filter)) != 2:
        return None
    outs, depth = ctx.shape(filter)
    batches = prod(ctx.shape(output)) // outs if outs else 0
    made = Loops()
    name = f"ours_connected_{_weights(ctx)}"
    made.add(name, call=1, batch=batches, inside=batches * depth)
    group = 8 if name.endswith("int4") else 4
    steps, rest = divmod(depth, 4 * group)
    singles, overlap = divmod(rest, group)
    runs = batches * outs
    made.add(name, row=runs, block=runs * steps, single=runs * singles)
    made.add(name, overlap=runs if overlap else 0)
    made.streamed_bytes = batches * filter.stored_data_bytes
    return made


def _weights(ctx: NodeContext) -> str:
    filter = ctx.input(1)
    return "int4" if filter is not None and filter.type == TensorType.INT4 else "int8"


LOOPS = {"CONV_2D": conv, "DEPTHWISE_CONV_2D": depthwise, "FULLY_CONNECTED": fully_connected}
"""Kernels with loops of their own; others do the same for each element."""


def others(ctx: NodeContext) -> Loops | None:
    """A call and its elements, under names of their own."""
    found = elements.loops(ctx)
    if found is None:
        return None
    made = Loops()
    made.terms = {f"ours_{name}": count for name, count in found.terms.items()}
    return made
