"""CONV_2D. Mirrors kernels/conv_common.cc, kernels/cmsis_nn/conv.cc and CMSIS-NN's
arm_convolve_get_buffer_sizes_s8.c and _s16.c (DSP extension, no MVE)."""

from __future__ import annotations

from math import prod

from predictor.model.graph import Tensor, TensorType
from predictor.operators.context import NodeContext
from predictor.operators.quantized import (
    INT16_BYTES,
    INT32_BYTES,
    check_convolution_quantization,
    zero_point,
)
from predictor.operators.registry import OpCount, register
from predictor.operators.sizes import align_up

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


def _init(ctx: NodeContext) -> None:
    ctx.persistent_struct("OpDataConv")


def _prepare(ctx: NodeContext) -> None:
    if ctx.kernels == "cmsis_nn":
        _prepare_cmsis_nn(ctx)
    else:
        _prepare_reference(ctx)


def _check_types(ctx: NodeContext, input: Tensor, filter: Tensor, output: Tensor) -> None:
    ctx.ensure(
        input.type == output.type,
        f"input is {input.type.name} but output is {output.type.name}",
    )
    ctx.ensure(
        (input.type, filter.type) in _TYPES,
        f"hybrid models are not supported: {input.type.name} activations with "
        f"{filter.type.name} weights",
    )


def _allocate_requantization(ctx: NodeContext, channels: int) -> None:
    """Multiplier and shift of each output channel."""
    ctx.persistent(channels * INT32_BYTES)
    ctx.persistent(channels * INT32_BYTES)


def _calculate_op_data(ctx: NodeContext, is_quantized: bool) -> None:
    """Mirrors ``CalculateOpDataConv``."""
    ctx.ensure(len(ctx.op.inputs) in (2, 3), "it needs 2 or 3 inputs")
    ctx.ensure(len(ctx.op.outputs) == 1, "it needs 1 output")
    input, filter = ctx.need_input(0), ctx.need_input(1)
    ctx.temp_input(2)
    ctx.need_output(0)
    if is_quantized:
        check_convolution_quantization(ctx, input, filter, ctx.shape(filter)[0])


def _prepare_reference(ctx: NodeContext) -> None:
    """Mirrors ``ConvPrepare``."""
    output, input, filter = ctx.need_output(0), ctx.need_input(0), ctx.need_input(1)
    _check_types(ctx, input, filter, output)
    ctx.ensure(len(ctx.shape(filter)) == 4, "the filter needs 4 dimensions")
    channels = ctx.shape(filter)[0]
    _allocate_requantization(ctx, channels)
    if input.type != TensorType.FLOAT32:
        quantization = filter.quantization
        ctx.ensure(
            quantization is not None and len(quantization.scales) in (1, channels),
            "the filter needs one scale, or one for each output channel",
        )
    _calculate_op_data(ctx, is_quantized=input.type != TensorType.FLOAT32)
    if filter.type == TensorType.INT4:
        ctx.scratch(ctx.element_count(filter))


def _prepare_cmsis_nn(ctx: NodeContext) -> None:
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    # The kernel asks for the bias among the outputs, so that it never finds one.
    bias = ctx.temp_output(2)
    _check_types(ctx, input, filter, output)
    in_shape, filter_shape, out_shape = ctx.shape(input), ctx.shape(filter), ctx.shape(output)
    for what, shape in (("input", in_shape), ("filter", filter_shape), ("output", out_shape)):
        ctx.ensure(len(shape) == 4, f"the {what} needs 4 dimensions, not {len(shape)}")
    ctx.ensure(in_shape[0] == out_shape[0], "input and output differ in batch size")
    ctx.ensure(filter_shape[3] > 0, "the filter has no input channels")
    ctx.ensure(
        in_shape[3] % filter_shape[3] == 0,
        f"{in_shape[3]} input channels are no multiple of the filter's {filter_shape[3]}",
    )
    is_quantized = input.type != TensorType.FLOAT32
    if is_quantized:
        _allocate_requantization(ctx, filter_shape[0])
    _calculate_op_data(ctx, is_quantized)
    buffer_bytes = 0
    if input.type == TensorType.INT8:
        # For INT4 weights, too, the kernel asks for the size of the int8 convolution.
        buffer_bytes = buffer_bytes_s8(ctx, in_shape, filter_shape)
    elif input.type == TensorType.INT16 and (bias is None or bias.type == TensorType.INT64):
        ctx.ensure(zero_point(input) == 0, "int16 input needs zero point 0")
        ctx.ensure(zero_point(output) == 0, "int16 output needs zero point 0")
        buffer_bytes = 2 * in_shape[3] * filter_shape[2] * filter_shape[1] * INT16_BYTES
    if buffer_bytes > 0:
        ctx.scratch(buffer_bytes)


def buffer_bytes_s8(
    ctx: NodeContext, in_shape: tuple[int, ...], filter_shape: tuple[int, ...]
) -> int:
    """Mirrors ``arm_convolve_wrapper_s8_get_buffer_size`` with the DSP extension.

    A 1x1 convolution without dilation needs no buffer; all others copy two columns of the input
    patch (filter height x width x channels, rounded up to 4) as 16-bit values.
    """
    if is_1x1(ctx, in_shape, filter_shape):
        return 0
    column = filter_shape[2] * filter_shape[1] * in_shape[3]
    return 2 * align_up(column, 4) * INT16_BYTES


def is_1x1(ctx: NodeContext, in_shape: tuple[int, ...], filter_shape: tuple[int, ...]) -> bool:
    """Mirrors ``arm_nn_is_convolve_1x1`` (padding of a 1x1 filter is always 0)."""
    options = ctx.op.options
    return (
        filter_shape[1:3] == (1, 1)
        and options.get("dilation_h_factor", 1) == 1
        and options.get("dilation_w_factor", 1) == 1
        and in_shape[3] == filter_shape[3]
    )


register("CONV_2D", params="TfLiteConvParams", init=_init, prepare=_prepare, count=count)
