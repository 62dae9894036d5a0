"""Operators that keep a state: SVDF and CIRCULAR_BUFFER. Mirrors kernels/svdf.cc and
circular_buffer.cc."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import (
    divide,
    ensure_rank,
    ensure_same_type,
    int_option,
    need_counts,
)
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates
from predictor.operators.parsing import ACTIVATION_RELU, fused_activation
from predictor.operators.quantized import INT32_BYTES, need_quantization
from predictor.operators.reference_2020 import register

_FLOAT32, _INT8, _INT16 = TensorType.FLOAT32, TensorType.INT8, TensorType.INT16
_SVDF_OPTIONS = "SVDFOptions"
_LAST_BUFFER_SLOTS = 5
_MAX_CIRCULAR_BUFFERS = 7
_CIRCULAR_BUFFERS = "circular buffers prepared"


def _svdf_inputs(ctx: NodeContext) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor]:
    """Input, weights of the feature and of the time filter, bias, state."""
    input, weights_feature, weights_time = (ctx.need_input(position) for position in range(3))
    return input, weights_feature, weights_time, ctx.input(3), ctx.need_input(4)


def _prepare_svdf(ctx: NodeContext) -> None:
    input, weights_feature, weights_time, bias, state = _svdf_inputs(ctx)
    output = ctx.need_output(0)
    ctx.ensure_type(input, _FLOAT32, _INT8)
    need_counts(ctx, 5, 1)
    for tensor in (input, weights_feature, weights_time, state, output):
        ensure_rank(ctx, tensor, 2)
    batches, inputs = ctx.shape(input)
    filters, memory = ctx.shape(weights_feature)[0], ctx.shape(weights_time)[1]
    rank = int_option(ctx, _SVDF_OPTIONS, "rank")
    units = divide(filters, rank)
    ctx.ensure(units * rank == filters, f"{filters} filters are no multiple of the rank {rank}")
    for tensor, shape in (
        (output, (batches, units)),
        (weights_feature, (filters, inputs)),
        (weights_time, (filters, memory)),
        (state, (batches, memory * filters)),
    ):
        ctx.ensure(
            ctx.shape(tensor) == shape,
            f"tensor {tensor.name!r} needs the shape {list(shape)}, not {list(ctx.shape(tensor))}",
        )
    if bias is not None:
        ctx.ensure(
            ctx.shape(bias)[:1] == (units,), f"the bias is not one for each of {units} units"
        )
    _check_svdf_types(ctx)
    ctx.scratch(batches * filters * INT32_BYTES)
    if input.type == _INT8:
        ctx.scratch(batches * units * INT32_BYTES)


def _check_svdf_types(ctx: NodeContext) -> None:
    input, weights_feature, weights_time, bias, state = _svdf_inputs(ctx)
    output = ctx.need_output(0)
    is_quantized = input.type == _INT8
    ctx.ensure_type(weights_feature, input.type)
    ctx.ensure_type(weights_time, _INT16 if is_quantized else _FLOAT32)
    ctx.ensure_type(state, _INT16 if is_quantized else _FLOAT32)
    if bias is not None:
        ctx.ensure_type(bias, TensorType.INT32 if is_quantized else _FLOAT32)
    ctx.ensure_type(output, input.type)
    if is_quantized:
        # Without them TFLM reads their scales through null pointers.
        for tensor in (input, weights_feature, weights_time, state, output):
            need_quantization(ctx, tensor)


def _evaluate_svdf(ctx: NodeContext) -> None:
    input, *_, state = _svdf_inputs(ctx)
    if input.type == _INT8:
        ctx.ensure(
            fused_activation(ctx, _SVDF_OPTIONS) == ACTIVATION_RELU,
            "INT8 needs RELU as fused activation",
        )
    ctx.ensure(
        state.is_variable,
        f"state tensor {state.name!r} is no variable; TFLM writes it through a null pointer",
    )


def _prepare_circular_buffer(ctx: NodeContext) -> None:
    input, output = ctx.need_input(0), ctx.need_output(0)
    in_shape, out_shape = ctx.shape(input), ctx.shape(output)
    ctx.ensure(len(in_shape) >= 4 and len(out_shape) >= 4, "input and output need 4 dimensions")
    ctx.ensure(
        in_shape[:3] == (1, 1, 1) and (out_shape[0], out_shape[2]) == (1, 1),
        f"input {list(in_shape)} and output {list(out_shape)} have other sizes than 1 where this "
        "TFLM demands it",
    )
    ctx.ensure(in_shape[3] == out_shape[3], "input and output differ in channels")
    ensure_same_type(ctx, input, output)
    ctx.ensure_type(input, _INT8)
    prepared = ctx.state.shared.get(_CIRCULAR_BUFFERS, 0) + 1
    ctx.state.shared[_CIRCULAR_BUFFERS] = prepared
    if prepared > _MAX_CIRCULAR_BUFFERS:
        ctx.inexact(
            f"TFLM has room for the states of {_MAX_CIRCULAR_BUFFERS} such operators and writes "
            "those of further ones over other variables"
        )


def _evaluate_circular_buffer(ctx: NodeContext) -> None:
    ctx.ensure(
        ctx.shape(ctx.need_output(0))[1] == _LAST_BUFFER_SLOTS,
        "it ends the inference early in each first of two calls, which is how streaming models "
        "skip the layers behind it",
    )


register(
    "SVDF",
    params="TfLiteSVDFParams",
    init=allocates("OpDataSvdf"),
    prepare=_prepare_svdf,
    evaluate=_evaluate_svdf,
    highest_version=3,
)
register("CIRCULAR_BUFFER", prepare=_prepare_circular_buffer, evaluate=_evaluate_circular_buffer)
