"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED. Mirrors kernels/conv.cc, depthwise_conv.cc,
fully_connected.cc and kernel_util.cc."""

from __future__ import annotations

from math import isfinite

from predictor.model.floating import quotient
from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import ensure_same_type, int_option, need_counts
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    allocate_requantization,
    check_filter_scales,
    check_multiplier,
)
from predictor.operators.evaluation import allocates
from predictor.operators.fixed_point import ACTIVATION_BOUNDS
from predictor.operators.loops import Loops
from predictor.operators.parsing import fused_activation
from predictor.operators.quantized import (
    QUANTIZED_TYPES,
    check_convolution_quantization,
    scale,
    zero_point,
)
from predictor.operators.reference.conv import loops
from predictor.operators.reference.fully_connected import is_per_channel
from predictor.operators.reference_2020 import register
from predictor.operators.reference_2020.evaluation import MAX_RANK, expect_4d, limit_rank

_FLOAT32, _INT8, _UINT8 = TensorType.FLOAT32, TensorType.INT8, TensorType.UINT8
_CONV_CHANNELS = 0
_DEPTHWISE_CHANNELS = 3
"""Dimensions of the filter that hold the output channels."""
_WEIGHTS_FORMATS = (0, 1)


def _check_activation_range(ctx: NodeContext, output: Tensor) -> None:
    """Mirrors ``CalculateActivationRangeQuantized``, which takes any scale."""
    ctx.ensure(
        output.type in QUANTIZED_TYPES,
        f"its activation range is not defined for {output.type.name} outputs",
    )


def _prepare_convolution(ctx: NodeContext, channels_dimension: int) -> None:
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    bias = ctx.input(2)
    shape = ctx.shape(filter)
    ctx.ensure(
        len(shape) > channels_dimension,
        f"the filter has {len(shape)} dimensions: TFLM reads the channels from what follows them",
    )
    channels = shape[channels_dimension]
    # For all types, although only INT8 uses them.
    allocate_requantization(ctx, channels)
    if input.type == _INT8:
        check_filter_scales(ctx, filter, channels)
    need_counts(ctx, (2, 3), 1)
    expect_4d(ctx, input, filter, output)
    if input.type == _FLOAT32:
        return
    check_convolution_quantization(ctx, input, filter, channels)
    if input.type == _UINT8:
        check_multiplier(ctx, input, filter, bias, output)
    if input.type in QUANTIZED_TYPES:
        _check_activation_range(ctx, output)


def _prepare_conv(ctx: NodeContext) -> None:
    _prepare_convolution(ctx, _CONV_CHANNELS)
    input, filter = ctx.need_input(0), ctx.need_input(1)
    if ctx.shape(input)[3:4] != ctx.shape(filter)[3:4]:
        ctx.note("this TFLM has no grouped convolutions: results can be wrong")


def _prepare_depthwise_conv(ctx: NodeContext) -> None:
    _prepare_convolution(ctx, _DEPTHWISE_CHANNELS)
    options = "DepthwiseConv2DOptions"
    dilations = [int_option(ctx, options, f"dilation_{axis}_factor") for axis in "hw"]
    if max(dilations) > 1 and int_option(ctx, options, "padding") == 0:
        ctx.note("this TFLM pads as if there were no dilation: results can be wrong")

    output = ctx.need_output(0)
    if output.type == _INT8 and _clamps(fused_activation(ctx, options), output):
        ctx.note("this TFLM leaves out its fused activation: results can be wrong")


def _clamps(activation: int, output: Tensor) -> bool:
    """Whether a fused activation clamps within the range of an INT8 output."""
    steps = (quotient(bound, scale(output)) for bound in ACTIVATION_BOUNDS.get(activation, ()))
    return any(isfinite(step) and -128 < zero_point(output) + round(step) < 127 for step in steps)


def _evaluate_convolution(ctx: NodeContext) -> None:
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ctx.ensure_type(input, _FLOAT32, _INT8, _UINT8)
    limit_rank(ctx, MAX_RANK, input, filter, output)
    if filter.type != input.type:
        ctx.note(
            f"this TFLM takes the {filter.type.name} weights for {input.type.name}: results "
            "can be wrong"
        )


def _prepare_fully_connected(ctx: NodeContext) -> None:
    weights_format = int_option(ctx, "FullyConnectedOptions", "weights_format")
    ctx.ensure(weights_format in _WEIGHTS_FORMATS, f"weights_format {weights_format} is unknown")
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    ctx.ensure(
        input.type == filter.type,
        f"hybrid models are not supported: {input.type.name} activations with "
        f"{filter.type.name} weights",
    )
    if input.type != _FLOAT32:
        check_multiplier(ctx, input, filter, ctx.input(2), output)
        _check_activation_range(ctx, output)


def _evaluate_fully_connected(ctx: NodeContext) -> None:
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ctx.ensure_type(input, _FLOAT32, _INT8, _UINT8)
    limit_rank(ctx, MAX_RANK, input, filter, output)
    if is_per_channel(filter):
        ctx.note("this TFLM takes the first scale for all channels: results can be wrong")


def _conv_loops(ctx: NodeContext) -> Loops | None:
    """The borders are tested for each channel, not for each tap."""
    made, filter = loops(ctx), ctx.input(1)
    if made is None or filter is None:
        return made
    outside = next((term for term in made.terms if term.endswith(".outside")), None)
    if outside is not None:
        made.terms[f"{outside}_mac"] = made.terms[outside] * ctx.shape(filter)[3]
    return made


register(
    "CONV_2D",
    loops=_conv_loops,
    params="TfLiteConvParams",
    init=allocates("OpDataConv"),
    prepare=_prepare_conv,
    evaluate=_evaluate_convolution,
    highest_version=3,
)
register(
    "DEPTHWISE_CONV_2D",
    params="TfLiteDepthwiseConvParams",
    init=allocates("OpDataConv"),
    prepare=_prepare_depthwise_conv,
    evaluate=_evaluate_convolution,
    highest_version=3,
)
register(
    "FULLY_CONNECTED",
    params="TfLiteFullyConnectedParams",
    init=allocates("OpDataFullyConnected"),
    prepare=_prepare_fully_connected,
    evaluate=_evaluate_fully_connected,
    highest_version=4,
)
