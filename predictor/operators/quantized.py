"""Checks and sizes that quantised kernels share. Mirrors ``kernel_util`` of TFLM."""

from __future__ import annotations

from predictor.model.graph import Quantization, Tensor, TensorType
from predictor.operators.context import NodeContext

INT16_BYTES = 2
INT32_BYTES = 4
INT64_BYTES = 8
QUANTIZED_TYPES = frozenset((TensorType.INT8, TensorType.UINT8, TensorType.INT16))


def need_quantization(ctx: NodeContext, tensor: Tensor) -> Quantization:
    """The tensor's affine quantisation, which TFLM insists on here."""
    if tensor.quantization is None:
        ctx.refuse(f"tensor {tensor.name!r} has no quantisation parameters")
    return tensor.quantization


def zero_point(tensor: Tensor) -> int:
    """``params.zero_point``: 0 for tensors without quantisation."""
    return 0 if tensor.quantization is None else tensor.quantization.zero_point


def scale(tensor: Tensor) -> float:
    """``params.scale``: 0.0 for tensors without quantisation."""
    return 0.0 if tensor.quantization is None else tensor.quantization.scale


def ensure_symmetric(ctx: NodeContext, *tensors: Tensor) -> None:
    """Refuses tensors with a zero point other than 0."""
    for tensor in tensors:
        ctx.ensure(
            zero_point(tensor) == 0,
            f"tensor {tensor.name!r} is {tensor.type.name} and needs zero point 0",
        )


def check_convolution_quantization(
    ctx: NodeContext, input: Tensor, filter: Tensor, channels: int
) -> None:
    """Mirrors ``PopulateConvolutionQuantizationParams``."""
    need_quantization(ctx, input)
    quantization = need_quantization(ctx, filter)
    if quantization.is_per_channel:
        ctx.ensure_type(input, TensorType.INT8, TensorType.INT16)
        ctx.ensure_type(filter, TensorType.INT8, TensorType.INT4)
        if len(quantization.scales) != channels:
            ctx.refuse(
                f"the filter has {len(quantization.scales)} scales for {channels} output channels"
            )
        shape = ctx.shape(filter)
        dimension = quantization.dimension
        ctx.ensure(
            0 <= dimension < len(shape) and shape[dimension] == channels,
            f"the filter's quantised dimension {dimension} does not hold the output channels",
        )
