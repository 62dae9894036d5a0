"""AVERAGE_POOL_2D and MAX_POOL_2D with CMSIS-NN. Mirrors kernels/cmsis_nn/pooling.cc.

Access order and loops are those of arm_avgpool_s8.c and arm_max_pool_s8.c (DSP extension, no MVE).
"""

from __future__ import annotations

from collections.abc import Sequence

from predictor.model.graph import TensorType
from predictor.operators.access_order import InputOverlap, Windows, by_position
from predictor.operators.cmsis_nn import register
from predictor.operators.cmsis_nn.buffers import average_pool_bytes, has_dsp
from predictor.operators.context import NodeContext
from predictor.operators.convolution import check_4d
from predictor.operators.loops import Loops
from predictor.operators.loops.c_library import copy
from predictor.operators.reference import pooling
from predictor.operators.reference.pooling import (
    BY_POSITION,
    QUANTIZED,
    check_tensors,
    overlap,
    window_axes,
    windows,
)


def _prepare_average(ctx: NodeContext) -> None:
    input, output = check_tensors(ctx)
    ctx.temp_input(0)
    ctx.temp_output(0)
    if input.type in QUANTIZED:
        check_4d(ctx, input, output)
        channels = min(ctx.shape(input)[3], ctx.shape(output)[3])
        buffer_bytes = average_pool_bytes(ctx.core, channels)
        if buffer_bytes > 0:
            ctx.scratch(buffer_bytes)


def _int8_windows(ctx: NodeContext) -> Windows | None:
    """Those of the kernels whose order is known: of int8 with the DSP extension."""
    input = ctx.input(0)
    is_known = input is not None and input.type == TensorType.INT8 and has_dsp(ctx.core)
    return windows(ctx) if is_known else None


def _is_float(ctx: NodeContext) -> bool:
    input = ctx.input(0)
    return input is not None and input.type == TensorType.FLOAT32


def _overlap_average(ctx: NodeContext) -> Sequence[InputOverlap]:
    if _is_float(ctx):
        return overlap(ctx)
    found = _int8_windows(ctx)
    # A window is summed up in the scratch buffer, all channels, then its outputs are written.
    return () if found is None else (InputOverlap(0, by_position(found), BY_POSITION),)


def max_distance(windows: Windows) -> int:
    """How far writes run ahead of reads, in elements.

    The first pixel of a window is copied to the output, the others are compared with it there, so
    all channels of a position are written after the first pixel, before the others are read,
    which lie behind it by a pixel at least; within a pixel, reads run ahead of the writes. With one
    channel the C library copies single bytes, for which some read beyond the byte: traced distances
    are above those of the order of loops, so that tensors are kept apart.
    """
    return windows.output_elements if windows.in_channels == 1 else by_position(windows)


def _overlap_max(ctx: NodeContext) -> Sequence[InputOverlap]:
    if _is_float(ctx):
        return overlap(ctx)
    found = _int8_windows(ctx)
    rule = "windows are compared in the output, pixel by pixel"
    return () if found is None else (InputOverlap(0, max_distance(found), rule),)


def _loops(ctx: NodeContext) -> Loops | None:
    input = ctx.input(0)
    if input is None or input.type != TensorType.INT8:
        return pooling.loops(ctx)
    found = window_axes(ctx)
    if found is None:
        return None
    rows, columns = found
    batches, _, _, channels = ctx.shape(input)
    pixels, inside = batches * rows.out * columns.out, batches * rows.inside() * columns.inside()
    taps = inside - pixels
    name = f"cmsis_{ctx.op.name.lower()}_int8"
    made = Loops()
    made.add(name, call=1, pixel=pixels, line=batches * rows.inside() * columns.out, tap=taps)
    if ctx.op.name == "AVERAGE_POOL_2D":
        made.add(name, first=pixels * channels, further=taps * channels)
        return made
    copy(made, pixels, channels)
    outs = pixels * channels
    made.add(name, quad=taps * (channels // 4), single=taps * (channels % 4))
    made.add(name, clamp_quad=outs // 4, clamp_single=outs % 4)
    if channels % 4:
        made.unaligned_loads += taps * (channels // 4) * 3 // 2
    return made


register("AVERAGE_POOL_2D", prepare=_prepare_average, overlap=_overlap_average, loops=_loops)
register("MAX_POOL_2D", overlap=_overlap_max, loops=_loops)
