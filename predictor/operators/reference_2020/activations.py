"""Activation functions. Mirrors kernels/activations.cc, logistic.cc, tanh.cc, prelu.cc and
softmax.cc."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import need_counts
from predictor.operators.context import NodeContext
from predictor.operators.parsing import options_of
from predictor.operators.quantized import scale, zero_point
from predictor.operators.reference.softmax import check_scaling
from predictor.operators.reference_2020 import register
from predictor.operators.reference_2020.evaluation import BROADCAST_RANK, MAX_RANK, limit_rank

_FLOAT32, _INT8, _UINT8 = TensorType.FLOAT32, TensorType.INT8, TensorType.UINT8


def _evaluate_relu(ctx: NodeContext) -> None:
    input, output = ctx.need_input(0), ctx.need_output(0)
    ctx.ensure_type(input, _FLOAT32, _INT8, _UINT8)
    limit_rank(ctx, MAX_RANK, input, output)
    same = scale(input) == scale(output) and zero_point(input) == zero_point(output)
    if input.type != _FLOAT32 and not same:
        ctx.note("this TFLM does not rescale here: results can be wrong")


def _evaluate_sigmoid(ctx: NodeContext) -> None:
    input, output = ctx.need_input(0), ctx.need_output(0)
    ctx.ensure_type(input, _FLOAT32, _INT8)
    ctx.ensure_type(output, input.type)
    if input.type == _FLOAT32:
        limit_rank(ctx, MAX_RANK, input, output)


def _evaluate_prelu(ctx: NodeContext) -> None:
    input, alpha, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ctx.ensure_type(input, _FLOAT32, _INT8, _UINT8)
    limit_rank(ctx, BROADCAST_RANK, input, alpha, output)


def _prepare_softmax(ctx: NodeContext) -> None:
    need_counts(ctx, 1, 1)
    ctx.ensure(len(ctx.shape(ctx.need_input(0))) >= 1, "the input needs a dimension")


def _evaluate_softmax(ctx: NodeContext) -> None:
    """Mirrors ``CalculateSoftmaxParams``."""
    input, output = ctx.need_input(0), ctx.need_output(0)
    ctx.ensure_type(input, _FLOAT32, _INT8, _UINT8)
    if input.type == _FLOAT32:
        ctx.ensure_type(output, _FLOAT32)
    else:
        _check_softmax_output(ctx, input, output)
        check_scaling(ctx, input, options_of(ctx, "SoftmaxOptions").get("beta", 0.0))
    limit_rank(ctx, MAX_RANK, input, output)


def _check_softmax_output(ctx: NodeContext, input: Tensor, output: Tensor) -> None:
    zero_points = {(_UINT8, _UINT8): 0, (_INT8, _INT8): -128, (_INT8, TensorType.INT16): -32768}
    expected = zero_points.get((input.type, output.type))
    ctx.ensure(
        expected is not None,
        f"it does not turn {input.type.name} into {output.type.name}",
    )
    ctx.ensure(
        zero_point(output) == expected, f"{output.type.name} output needs zero point {expected}"
    )
    if output.type == _INT8:
        ctx.ensure(scale(output) == 1 / 256, "INT8 output needs the scale 1/256")


register("RELU", "RELU6", evaluate=_evaluate_relu)
register("LOGISTIC", evaluate=_evaluate_sigmoid, highest_version=2)
register("TANH", evaluate=_evaluate_sigmoid)
register("PRELU", evaluate=_evaluate_prelu)
register(
    "SOFTMAX",
    params="TfLiteSoftmaxParams",
    prepare=_prepare_softmax,
    evaluate=_evaluate_softmax,
    highest_version=2,
)
