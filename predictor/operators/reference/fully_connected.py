"""FULLY_CONNECTED. Mirrors kernels/fully_connected_common.cc, kernels/fully_connected.cc,
kernels/cmsis_nn/fully_connected.cc and CMSIS-NN's arm_fully_connected_get_buffer_sizes_*.c (DSP
extension, no MVE: no buffers)."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import check_runtime_shape, ensure_same_type
from predictor.operators.cmsis_buffers import kernel_sum_bytes
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    allocate_requantization,
    check_hybrid,
    check_multiplier,
)
from predictor.operators.evaluation import allocates, runs_on
from predictor.operators.fixed_point import check_activation_range
from predictor.operators.loops.fully_connected import loops
from predictor.operators.parsing import check_element_types, fused_activation, options_of
from predictor.operators.quantized import INT32_BYTES, zero_point
from predictor.operators.reference import register
from predictor.operators.registry import OpCount

_OPTIONS = "FullyConnectedOptions"
_WEIGHT_TYPES = {
    TensorType.FLOAT32: (TensorType.FLOAT32,),
    TensorType.INT8: (TensorType.INT8, TensorType.INT4),
    TensorType.INT16: (TensorType.INT8,),
}
"""Weight types by activation type."""


def count(ctx: NodeContext) -> OpCount:
    """One MAC for each input of each output element."""
    filter, output = ctx.input(1), ctx.output(0)
    if filter is None or output is None:
        return OpCount()
    return OpCount(ctx.element_count(output) * _last(ctx.shape(filter)))


def _last(shape: tuple[int, ...]) -> int:
    return shape[-1] if shape else 0


def is_per_channel(filter: Tensor) -> bool:
    """More than one scale makes the weights per-channel."""
    return filter.quantization is not None and filter.quantization.is_per_channel


def calculate_op_data(
    ctx: NodeContext, input: Tensor, filter: Tensor, bias: Tensor | None, output: Tensor | None
) -> None:
    """Mirrors ``CalculateOpDataFullyConnected`` up to the activation range of the output.

    Without a bias the output does not matter.
    """
    if input.type == TensorType.FLOAT32:
        return
    if is_per_channel(filter):
        allocate_per_channel(ctx, input, filter)
    else:
        check_multiplier(ctx, input, filter, bias, output)


def allocate_per_channel(ctx: NodeContext, input: Tensor, filter: Tensor) -> None:
    """Checks per-channel weights and requests their multipliers and shifts."""
    ctx.ensure(
        input.type in (TensorType.INT8, TensorType.INT16) and filter.type != TensorType.INT4,
        f"per-channel {filter.type.name} weights are not supported with {input.type.name} "
        "activations",
    )
    quantization = filter.quantization
    assert quantization is not None
    channels, dimension, shape = len(quantization.scales), quantization.dimension, ctx.shape(filter)
    ctx.ensure(
        0 <= dimension < len(shape) and shape[dimension] == channels,
        f"the filter has {channels} scales, which do not fit its quantised dimension {dimension}",
    )
    allocate_requantization(ctx, channels)


def _check_options(ctx: NodeContext) -> None:
    check_element_types(ctx, _OPTIONS, "quantized_bias_type")
    weights_format = options_of(ctx, _OPTIONS).get("weights_format", 0)
    ctx.ensure(weights_format in (0, 1), f"weights_format {weights_format} is unknown")


def _prepare(ctx: NodeContext) -> None:
    _check_options(ctx)
    input, filter, bias = ctx.need_input(0), ctx.need_input(1), ctx.temp_input(2)
    output = ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    check_runtime_shape(ctx, input, filter, output)
    if ctx.kernels == "cmsis_nn":
        ctx.ensure_type(input, *_WEIGHT_TYPES)
    check_hybrid(ctx, filter.type in _WEIGHT_TYPES.get(input.type, TensorType), input, filter)
    if ctx.kernels != "cmsis_nn" and filter.type == TensorType.INT4:
        ctx.scratch(ctx.element_count(filter))
    calculate_op_data(ctx, input, filter, bias, output)
    if input.type != TensorType.FLOAT32:
        check_activation_range(ctx, fused_activation(ctx, _OPTIONS), output)
    if ctx.kernels == "cmsis_nn":
        _prepare_cmsis_nn(ctx, input, filter, output)
    else:
        runs_on(ctx, input, *_WEIGHT_TYPES)


def _prepare_cmsis_nn(ctx: NodeContext, input: Tensor, filter: Tensor, output: Tensor) -> None:
    if input.type == TensorType.INT16:
        ctx.ensure(not is_per_channel(filter), "per-channel weights need INT8 activations")
        ctx.ensure(zero_point(input) == 0, "int16 input needs zero point 0")
        ctx.ensure(zero_point(output) == 0, "int16 output needs zero point 0")
    elif input.type == TensorType.INT8 and filter.type == TensorType.INT8:
        # Run as 1x1 convolution, which needs multiplier and shift of each channel.
        out_shape = ctx.shape(output)
        as_convolution = len(out_shape) > 2 and _last(ctx.shape(filter)) % 4 == 0
        if as_convolution and not is_per_channel(filter):
            ctx.scratch(out_shape[-1] * INT32_BYTES * 2)
        if not as_convolution:
            _request_kernel_sums(ctx, filter, kernel_sum_bytes(ctx.core, out_shape[-1]))


def _request_kernel_sums(ctx: NodeContext, filter: Tensor, sum_bytes: int) -> None:
    """Sums of constant weights are computed once; else at each call, in scratch memory."""
    if not sum_bytes:
        return
    bias = ctx.input(2)
    if filter.is_constant and (bias is None or bias.is_constant):
        ctx.persistent(sum_bytes)
    else:
        ctx.scratch(sum_bytes)


register(
    "FULLY_CONNECTED",
    params="TfLiteFullyConnectedParams",
    init=allocates("FullyConnectedOpData"),
    prepare=_prepare,
    count=count,
    loops=loops,
)
