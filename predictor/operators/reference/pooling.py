"""AVERAGE_POOL_2D, MAX_POOL_2D, L2_POOL_2D. Mirrors kernels/pooling_common.cc, kernels/pooling.cc,
kernels/l2_pool_2d.cc, kernels/cmsis_nn/pooling.cc and CMSIS-NN's arm_avgpool_get_buffer_sizes_*.c
(DSP extension, no MVE)."""

from __future__ import annotations

from collections.abc import Sequence
from math import fabs

from predictor.model.floating import single
from predictor.model.geometry import padding_of
from predictor.model.graph import Tensor, TensorType
from predictor.operators import pooling_order as order
from predictor.operators.access_order import InputOverlap, windows_of
from predictor.operators.checks import ensure_rank, need_counts, writable_dims
from predictor.operators.cmsis_buffers import average_pool_bytes, has_dsp
from predictor.operators.context import NodeContext
from predictor.operators.convolution import check_4d, expect_4d
from predictor.operators.evaluation import allocates
from predictor.operators.loops.pooling import loops
from predictor.operators.parsing import options_of
from predictor.operators.quantized import scale, zero_point
from predictor.operators.reference import register
from predictor.operators.registry import OpCount
from predictor.operators.sizes import RUNTIME_TYPE_BYTES

_OPTIONS = "Pool2DOptions"
_QUANTIZED = (TensorType.INT8, TensorType.INT16)


def count(ctx: NodeContext) -> OpCount:
    """One elementary operation for each element of each window."""
    output, options = ctx.output(0), options_of(ctx, _OPTIONS)
    if output is None:
        return OpCount()
    window = options.get("filter_height", 0) * options.get("filter_width", 0)
    return OpCount(0, ctx.element_count(output) * max(0, window))


def _prepare(ctx: NodeContext) -> tuple[Tensor, Tensor]:
    """Mirrors ``PoolingPrepare``, which passes over errors in the activation range."""
    input, output = ctx.need_input(0), ctx.need_output(0)
    expect_4d(ctx, input, output)
    ctx.ensure_type(input, TensorType.FLOAT32, *_QUANTIZED)
    if input.type in _QUANTIZED:
        difference = single(single(scale(input)) - single(scale(output)))
        ctx.ensure(fabs(difference) <= 1.0e-6, "input and output differ in scale")
        ctx.ensure(zero_point(input) == zero_point(output), "input and output differ in zero point")
    return input, output


def _prepare_max(ctx: NodeContext) -> None:
    _prepare(ctx)


def _prepare_average(ctx: NodeContext) -> None:
    input, output = _prepare(ctx)
    if ctx.kernels != "cmsis_nn":
        return
    ctx.temp_input(0)
    ctx.temp_output(0)
    if input.type in _QUANTIZED:
        check_4d(ctx, input, output)
        channels = min(ctx.shape(input)[3], ctx.shape(output)[3])
        buffer_bytes = average_pool_bytes(ctx.core, channels)
        if buffer_bytes > 0:
            ctx.scratch(buffer_bytes)


def _prepare_l2(ctx: NodeContext) -> None:
    """Mirrors ``L2Prepare``, which computes the output's shape anew."""
    need_counts(ctx, 1, 1)
    output, input = ctx.need_output(0), ctx.need_input(0)
    ensure_rank(ctx, input, 4)
    ensure_rank(ctx, output, 4)
    ctx.ensure_type(input, TensorType.FLOAT32)
    ctx.ensure_type(output, TensorType.FLOAT32)
    batches, height, width, channels = ctx.shape(input)
    options = options_of(ctx, _OPTIONS)
    window = options.get("filter_height", 0), options.get("filter_width", 0)
    padding = padding_of(options, (height, width), window)
    writable_dims(ctx, output, 4)
    ctx.set_shape(output, (batches, padding.out_height, padding.out_width, channels))


def _overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    """The distance of the kernel that runs; of CMSIS-NN's those of int8 for DSP are
    known."""
    input, options = ctx.input(0), options_of(ctx, _OPTIONS)
    filter_size = options.get("filter_height", 0), options.get("filter_width", 0)
    windows = windows_of(ctx, filter_size, _OPTIONS, dilates=False)
    if input is None or windows is None or windows.in_channels != windows.out_channels:
        return ()
    rule = "each position is finished before the next"
    if ctx.kernels != "cmsis_nn" or input.type == TensorType.FLOAT32:
        return (InputOverlap(0, order.reference(windows) * RUNTIME_TYPE_BYTES[input.type], rule),)
    if input.type != TensorType.INT8 or not has_dsp(ctx.core):
        return ()
    if ctx.op.name == "AVERAGE_POOL_2D":
        return (InputOverlap(0, order.cmsis_nn_average(windows), rule),)
    rule = "windows are compared in the output, pixel by pixel"
    return (InputOverlap(0, order.cmsis_nn_max(windows), rule),)


register(
    "AVERAGE_POOL_2D",
    params="TfLitePoolParams",
    init=allocates("PoolingOpData"),
    prepare=_prepare_average,
    count=count,
    overlap=_overlap,
    loops=loops,
)
register(
    "MAX_POOL_2D",
    params="TfLitePoolParams",
    init=allocates("PoolingOpData"),
    prepare=_prepare_max,
    count=count,
    overlap=_overlap,
    loops=loops,
)
register(
    "L2_POOL_2D",
    params="TfLitePoolParams",
    prepare=_prepare_l2,
    count=count,
    overlap=_overlap,
    loops=loops,
)
