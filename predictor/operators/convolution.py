"""What operators with weights share: convolutions, FULLY_CONNECTED, BATCH_MATMUL, LSTM.

Mirrors kernels/kernel_util.cc and CMSIS-NN's arm_convolve_get_buffer_sizes_s8.c (DSP extension, no
MVE).
"""

from __future__ import annotations

from predictor.model.floating import quotient, single
from predictor.model.graph import Tensor, TensorType
from predictor.operators.context import NodeContext
from predictor.operators.fixed_point import check_activation_range
from predictor.operators.quantized import (
    INT32_BYTES,
    check_convolution_quantization,
    need_quantization,
    scale,
)

Shape = tuple[int, ...]


def check_hybrid(ctx: NodeContext, allowed: bool, input: Tensor, filter: Tensor) -> None:
    """Refuses pairs of activation and weight type that the kernel does not take."""
    if allowed:
        return
    kinds = f"{input.type.name} activations with {filter.type.name} weights"
    is_mixed = input.type != filter.type
    what = "hybrid models are" if is_mixed else f"{input.type.name.lower()} quantisation is"
    ctx.refuse(f"{what} not supported: {kinds}")


def check_4d(ctx: NodeContext, *tensors: Tensor) -> None:
    """Refuses tensors of less than 4 dimensions where the memory depends on the missing ones.

    TFLM reads them without asking for their number: it gets what follows in the file.
    """
    for tensor in tensors:
        rank = len(ctx.shape(tensor))
        if rank < 4:
            ctx.refuse(f"tensor {tensor.name!r} needs 4 dimensions, not {rank}")


def expect_4d(ctx: NodeContext, *tensors: Tensor) -> None:
    """Warns of tensors of less than 4 dimensions, of which TFLM reads 4 when it runs."""
    for tensor in tensors:
        rank = len(ctx.shape(tensor))
        if rank < 4:
            ctx.inexact(
                f"tensor {tensor.name!r} has {rank} dimensions, but TFLM reads 4 without a check "
                "and so runs on unknown sizes"
            )


def allocate_requantization(ctx: NodeContext, channels: int) -> None:
    """Requests multiplier and shift of each output channel."""
    ctx.persistent(channels * INT32_BYTES)
    ctx.persistent(channels * INT32_BYTES)


def check_filter_scales(ctx: NodeContext, filter: Tensor, channels: int) -> None:
    """The filter must have one scale, or one for each output channel."""
    scales = len(need_quantization(ctx, filter).scales)
    if scales not in (1, channels):
        ctx.refuse(
            f"the filter has {scales} scales, not one or one for each of {channels} output channels"
        )


def populate_quantization(
    ctx: NodeContext,
    tensors: tuple[Tensor, Tensor, Tensor | None, Tensor],
    channels: int,
    activation: int,
) -> None:
    """Mirrors the errors of ``PopulateConvolutionQuantizationParams``.

    ``tensors`` are input, filter, bias and output.
    """
    input, filter, bias, output = tensors
    check_convolution_quantization(ctx, input, filter, channels)
    if input.type == TensorType.UINT8:
        check_multiplier(ctx, input, filter, bias, output)
    if input.type in (TensorType.INT8, TensorType.UINT8, TensorType.INT16):
        check_activation_range(ctx, activation, output)


def product_f32(first: float, second: float) -> float:
    """The product of two 32-bit floats, rounded to one."""
    return single(single(first) * single(second))


def check_multiplier(
    ctx: NodeContext, input: Tensor, filter: Tensor, bias: Tensor | None, output: Tensor | None
) -> None:
    """Mirrors the errors of ``GetQuantizedConvolutionMultipler``.

    Without a bias the output does not matter.
    """
    if bias is not None and output is not None:
        difference = abs(scale(input) * scale(filter) - scale(bias))
        ctx.ensure(
            quotient(difference, scale(output)) <= 0.02,
            f"the bias's scale {scale(bias)} differs too much from input scale x filter scale",
        )
    ctx.ensure(
        product_f32(scale(input), scale(filter)) >= 0.0,
        "the product of the input's and the filter's scale is negative",
    )
