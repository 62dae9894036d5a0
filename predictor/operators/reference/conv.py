"""CONV_2D. Mirrors kernels/conv_common.cc, kernels/conv.cc, kernels/cmsis_nn/conv.cc and
CMSIS-NN's arm_convolve_get_buffer_sizes_s8.c and _s16.c (DSP extension, no MVE)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from predictor.model.graph import TensorType
from predictor.operators import convolution_order as order
from predictor.operators.access_order import InputOverlap, windows_of
from predictor.operators.checks import ensure_rank, ensure_same_type, need_counts
from predictor.operators.cmsis_buffers import convolution_bytes, has_dsp, int16_column_bytes, is_1x1
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    allocate_requantization,
    check_filter_scales,
    check_hybrid,
    expect_4d,
    populate_quantization,
)
from predictor.operators.evaluation import allocates
from predictor.operators.loops.conv import loops
from predictor.operators.parsing import check_element_types, fused_activation, options_of
from predictor.operators.quantized import zero_point
from predictor.operators.reference import register
from predictor.operators.registry import OpCount
from predictor.operators.sizes import RUNTIME_TYPE_BYTES

_OPTIONS = "Conv2DOptions"
_TYPES = (
    (TensorType.FLOAT32, TensorType.FLOAT32),
    (TensorType.INT16, TensorType.INT8),
    (TensorType.INT8, TensorType.INT4),
    (TensorType.INT8, TensorType.INT8),
)


def count(ctx: NodeContext) -> OpCount:
    """One MAC for each tap of each output element."""
    filter, output = ctx.input(1), ctx.output(0)
    if filter is None or output is None:
        return OpCount()
    return OpCount(ctx.element_count(output) * prod(ctx.shape(filter)[1:]))


def _prepare(ctx: NodeContext) -> None:
    check_element_types(ctx, _OPTIONS, "quantized_bias_type")
    if ctx.kernels == "cmsis_nn":
        _prepare_cmsis_nn(ctx)
    else:
        _prepare_reference(ctx)
    _check_eval(ctx)


def calculate_op_data(ctx: NodeContext) -> None:
    """Mirrors ``CalculateOpDataConv``."""
    need_counts(ctx, (2, 3), 1)
    input, filter = ctx.need_input(0), ctx.need_input(1)
    bias = ctx.temp_input(2)
    output = ctx.need_output(0)
    if input.type != TensorType.FLOAT32:
        channels = ctx.shape(filter)[0]
        activation = fused_activation(ctx, _OPTIONS)
        populate_quantization(ctx, (input, filter, bias, output), channels, activation)


def _prepare_reference(ctx: NodeContext) -> None:
    """Mirrors ``ConvPrepare``."""
    output, input, filter = ctx.need_output(0), ctx.need_input(0), ctx.need_input(1)
    ensure_same_type(ctx, input, output)
    check_hybrid(ctx, (input.type, filter.type) in _TYPES, input, filter)
    expect_4d(ctx, input, filter, output)
    ctx.ensure(len(ctx.shape(filter)) > 0, "the filter is a scalar")
    channels = ctx.shape(filter)[0]
    allocate_requantization(ctx, channels)
    if input.type != TensorType.FLOAT32:
        check_filter_scales(ctx, filter, channels)
    calculate_op_data(ctx)
    if filter.type == TensorType.INT4:
        ctx.scratch(ctx.element_count(filter))


def _prepare_cmsis_nn(ctx: NodeContext) -> None:
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    # The kernel asks for the bias among the outputs, so that it never finds one: a third output
    # is refused below, and the int16 buffer is requested whatever type the bias has.
    ctx.temp_output(2)
    ensure_same_type(ctx, input, output)
    check_hybrid(ctx, (input.type, filter.type) in _TYPES, input, filter)
    for tensor in (input, filter, output):
        ensure_rank(ctx, tensor, 4)
    in_shape, filter_shape, out_shape = ctx.shape(input), ctx.shape(filter), ctx.shape(output)
    ctx.ensure(in_shape[0] == out_shape[0], "input and output differ in batch size")
    ctx.ensure(filter_shape[3] > 0, "the filter has no input channels")
    ctx.ensure(
        in_shape[3] % filter_shape[3] == 0,
        f"{in_shape[3]} input channels are no multiple of the filter's {filter_shape[3]}",
    )
    if input.type != TensorType.FLOAT32:
        allocate_requantization(ctx, filter_shape[0])
    calculate_op_data(ctx)
    taps = filter_shape[2] * filter_shape[1] * in_shape[3]
    buffer_bytes = 0
    if input.type == TensorType.INT8:
        # For INT4 weights, too, the kernel asks for the size of the int8 convolution.
        buffer_bytes = convolution_bytes(
            ctx.core, options_of(ctx, _OPTIONS), in_shape, filter_shape, out_shape
        )
    elif input.type == TensorType.INT16:
        ctx.ensure(zero_point(input) == 0, "int16 input needs zero point 0")
        ctx.ensure(zero_point(output) == 0, "int16 output needs zero point 0")
        buffer_bytes = int16_column_bytes(ctx.core, taps)
    if buffer_bytes > 0:
        ctx.scratch(buffer_bytes)


def _check_eval(ctx: NodeContext) -> None:
    input, bias = ctx.input(0), ctx.input(2)
    if input is None or bias is None or input.type != TensorType.INT16:
        return
    if bias.type not in (TensorType.INT32, TensorType.INT64):
        ctx.fails_at_invoke(f"int16 activations need an INT32 or INT64 bias, not {bias.type.name}")


def _overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    """The distance of the kernel that runs; INT4 weights of CMSIS-NN and int16 are not known."""
    input, filter = ctx.input(0), ctx.input(1)
    if input is None or filter is None or len(ctx.shape(filter)) != 4:
        return ()
    _, height, width, depth = ctx.shape(filter)
    windows = windows_of(ctx, (height, width), _OPTIONS)
    if windows is None or depth < 1 or windows.in_channels % depth:
        return ()
    groups = windows.in_channels // depth
    if windows.out_channels % groups:
        return ()
    size = RUNTIME_TYPE_BYTES[input.type]
    if ctx.kernels != "cmsis_nn" or input.type == TensorType.FLOAT32:
        distance = order.reference(windows, groups) * size
        return (InputOverlap(0, distance, "each position is finished before the next"),)
    if not has_dsp(ctx.core):
        return ()  # in which order kernels in plain C and for MVE go is not known
    if (input.type, filter.type) != (TensorType.INT8, TensorType.INT8):
        return ()
    if is_1x1(options_of(ctx, _OPTIONS), ctx.shape(input), ctx.shape(filter)):
        return (InputOverlap(0, order.cmsis_nn_pointwise(windows), "1x1: channels come first"),)
    distance = order.cmsis_nn_columns(windows, groups)
    return (InputOverlap(0, distance, "im2col: two positions are copied, then written"),)


def steered_options(ctx: NodeContext) -> Mapping[str, Any] | None:
    """Options that give the same results by a kernel whose output may overlap its input.

    A dilation means nothing for a 1x1 filter, but with it ``arm_convolve_wrapper_s8`` does not
    take the kernel for 1x1 filters, whose output can never overlap: it takes im2col, which
    finishes positions one after the other. None where this does not apply.
    """
    input, filter = ctx.input(0), ctx.input(1)
    options = options_of(ctx, _OPTIONS)
    if ctx.op.name != "CONV_2D" or ctx.kernels != "cmsis_nn" or input is None or filter is None:
        return None
    is_int8 = (input.type, filter.type) == (TensorType.INT8, TensorType.INT8)
    if not is_int8 or not is_1x1(options_of(ctx, _OPTIONS), ctx.shape(input), ctx.shape(filter)):
        return None
    return {**options, "dilation_h_factor": 2, "dilation_w_factor": 2}


register(
    "CONV_2D",
    params="TfLiteConvParams",
    init=allocates("ConvOpData"),
    prepare=_prepare,
    count=count,
    overlap=_overlap,
    loops=loops,
    steered=steered_options,
)
