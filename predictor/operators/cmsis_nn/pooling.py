"""AVERAGE_POOL_2D and MAX_POOL_2D with CMSIS-NN. Mirrors kernels/cmsis_nn/pooling.cc."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.model.graph import TensorType
from predictor.operators import pooling_order as order
from predictor.operators.access_order import InputOverlap, Windows
from predictor.operators.cmsis_buffers import average_pool_bytes, has_dsp
from predictor.operators.cmsis_nn import register
from predictor.operators.context import NodeContext
from predictor.operators.convolution import check_4d
from predictor.operators.reference.pooling import (
    BY_POSITION,
    QUANTIZED,
    check_tensors,
    overlap,
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
    return () if found is None else (InputOverlap(0, order.cmsis_nn_average(found), BY_POSITION),)


def _overlap_max(ctx: NodeContext) -> Sequence[InputOverlap]:
    if _is_float(ctx):
        return overlap(ctx)
    found = _int8_windows(ctx)
    rule = "windows are compared in the output, pixel by pixel"
    return () if found is None else (InputOverlap(0, order.cmsis_nn_max(found), rule),)


register("AVERAGE_POOL_2D", prepare=_prepare_average, overlap=_overlap_average)
register("MAX_POOL_2D", overlap=_overlap_max)
