"""Layers with weights when int4 weights were unpacked into a buffer, hybrid models were not refused
and a bias was needed. Mirrors kernels/conv_common.cc, depthwise_conv_common.cc,
fully_connected_common.cc, transpose_conv.cc and unidirectional_sequence_lstm.cc; of the last two,
there were no others."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import ensure_same_type
from predictor.operators.context import NodeContext
from predictor.operators.convolution import (
    allocate_requantization,
    check_4d,
    check_filter_scales,
    check_multiplier,
)
from predictor.operators.fixed_point import check_activation_range
from predictor.operators.parsing import fused_activation
from predictor.operators.quantized import ensure_symmetric
from predictor.operators.reference import recurrent, transpose_conv
from predictor.operators.reference.conv import calculate_op_data as calculate_conv
from predictor.operators.reference.depthwise_conv import calculate_op_data as calculate_depthwise
from predictor.operators.reference.fully_connected import is_per_channel
from predictor.operators.reference_2023_02 import register
from predictor.operators.reference_2024_05.weighted import check_unrefused

_FLOAT32, _INT4 = TensorType.FLOAT32, TensorType.INT4
_INT8, _INT16 = TensorType.INT8, TensorType.INT16
_RUNS = ((_FLOAT32, _FLOAT32), (_INT8, _INT8), (_INT8, _INT4), (_INT16, _INT8))


def unpack(ctx: NodeContext, filter: Tensor) -> None:
    if filter.type == _INT4:
        ctx.scratch(ctx.element_count(filter))


def need_bias(ctx: NodeContext) -> None:
    # TFLM frees the temporary tensor of the bias whether it got one or not, and then finds its
    # count of temporary buffers wrong.
    ctx.ensure(ctx.input(2) is not None, "it needs a bias")


def check_hybrid(ctx: NodeContext, input: Tensor, filter: Tensor) -> None:
    if (input.type, filter.type) not in _RUNS:
        ctx.fails_at_invoke(
            f"hybrid models pass AllocateTensors, but {input.type.name} activations with "
            f"{filter.type.name} weights do not run"
        )


def _prepare_conv(ctx: NodeContext) -> None:
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    check_4d(ctx, input, filter, output)
    allocate_requantization(ctx, ctx.shape(filter)[0])
    need_bias(ctx)
    calculate_conv(ctx)
    unpack(ctx, filter)
    check_hybrid(ctx, input, filter)


def _prepare_depthwise(ctx: NodeContext) -> None:
    input, filter, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    check_4d(ctx, input, filter, output)
    channels = ctx.shape(filter)[3]
    if input.type in (_INT8, _INT16):
        if input.type == _INT16:
            ensure_symmetric(ctx, input, output)
        check_filter_scales(ctx, filter, channels)
        allocate_requantization(ctx, channels)
    unpack(ctx, filter)
    need_bias(ctx)
    calculate_depthwise(ctx)
    check_hybrid(ctx, input, filter)


def _prepare_connected(ctx: NodeContext) -> None:
    prepare_connected(ctx)
    check_unrefused(ctx, ctx.need_input(0, temp=False), ctx.need_input(1, temp=False), _FLOAT32)


def prepare_connected(ctx: NodeContext) -> None:
    """Prepare alone, without what runs."""
    input, filter, bias = ctx.need_input(0), ctx.need_input(1), ctx.temp_input(2)
    output = ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    if input.type != _FLOAT32:
        if is_per_channel(filter):
            ctx.note("it runs with the first scale alone: the result is wrong")
        else:
            check_multiplier(ctx, input, filter, bias, output)
        check_activation_range(ctx, fused_activation(ctx, "FullyConnectedOptions"), output)
    unpack(ctx, filter)


register("CONV_2D", prepare=_prepare_conv)
register("DEPTHWISE_CONV_2D", prepare=_prepare_depthwise)
register("FULLY_CONNECTED", prepare=_prepare_connected)
register("TRANSPOSE_CONV", prepare=transpose_conv.prepare)
register("UNIDIRECTIONAL_SEQUENCE_LSTM", prepare=recurrent.prepare_lstm)
