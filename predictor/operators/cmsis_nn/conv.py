"""CONV_2D with CMSIS-NN. Mirrors kernels/cmsis_nn/conv.cc."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from predictor.model.graph import TensorType
from predictor.operators import convolution_order as order
from predictor.operators.access_order import InputOverlap
from predictor.operators.checks import ensure_rank, ensure_same_type
from predictor.operators.cmsis_buffers import convolution_bytes, has_dsp, int16_column_bytes, is_1x1
from predictor.operators.cmsis_nn import register
from predictor.operators.context import NodeContext
from predictor.operators.convolution import allocate_requantization, check_hybrid
from predictor.operators.parsing import check_element_types, options_of
from predictor.operators.quantized import zero_point
from predictor.operators.reference import conv
from predictor.operators.reference.conv import (
    OPTIONS,
    TYPES,
    calculate_op_data,
    check_eval,
    grouped_windows,
)


def _prepare(ctx: NodeContext) -> None:
    check_element_types(ctx, OPTIONS, "quantized_bias_type")
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    # The kernel asks for the bias among the outputs, so that it never finds one: a third output
    # is refused below, and the int16 buffer is requested whatever type the bias has.
    ctx.temp_output(2)
    ensure_same_type(ctx, input, output)
    check_hybrid(ctx, (input.type, filter.type) in TYPES, input, filter)
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
            ctx.core, options_of(ctx, OPTIONS), in_shape, filter_shape, out_shape
        )
    elif input.type == TensorType.INT16:
        ctx.ensure(zero_point(input) == 0, "int16 input needs zero point 0")
        ctx.ensure(zero_point(output) == 0, "int16 output needs zero point 0")
        buffer_bytes = int16_column_bytes(ctx.core, taps)
    if buffer_bytes > 0:
        ctx.scratch(buffer_bytes)
    check_eval(ctx)


def _overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    """The distance of the kernel for the DSP extension; those of INT4 weights, of int16 and for
    other cores are not known."""
    input, filter, found = ctx.input(0), ctx.input(1), grouped_windows(ctx)
    if input is None or filter is None or found is None:
        return ()
    if input.type == TensorType.FLOAT32:
        return conv.overlap(ctx)
    if (input.type, filter.type) != (TensorType.INT8, TensorType.INT8) or not has_dsp(ctx.core):
        return ()
    windows, groups = found
    if is_1x1(options_of(ctx, OPTIONS), ctx.shape(input), ctx.shape(filter)):
        return (InputOverlap(0, order.cmsis_nn_pointwise(windows), "1x1: channels come first"),)
    distance = order.cmsis_nn_columns(windows, groups)
    return (InputOverlap(0, distance, "im2col: two positions are copied, then written"),)


def _steered(ctx: NodeContext) -> Mapping[str, Any] | None:
    """Options that give the same results by a kernel whose output may overlap its input.

    A dilation means nothing for a 1x1 filter, but with it ``arm_convolve_wrapper_s8`` does not
    take the kernel for 1x1 filters, whose output can never overlap: it takes im2col, which
    finishes positions one after the other. None where this does not apply.
    """
    input, filter = ctx.input(0), ctx.input(1)
    options = options_of(ctx, OPTIONS)
    if input is None or filter is None:
        return None
    is_int8 = (input.type, filter.type) == (TensorType.INT8, TensorType.INT8)
    if not is_int8 or not is_1x1(options, ctx.shape(input), ctx.shape(filter)):
        return None
    return {**options, "dilation_h_factor": 2, "dilation_w_factor": 2}


register("CONV_2D", prepare=_prepare, overlap=_overlap, steered=_steered)
