"""Activation functions.

Mirrors kernels/activations_common.cc, leaky_relu_common.cc, logistic_common.cc,
tanh.cc, hard_swish_common.cc and elu.cc, with the Eval functions that go with them.
"""

from __future__ import annotations

from predictor.model.floating import quotient, single
from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import ensure_same_type, need_counts
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates, runs_on
from predictor.operators.fixed_point import exponent_of, rounded_log2
from predictor.operators.loops import elements
from predictor.operators.overlap_rules import elementwise
from predictor.operators.quantized import scale, zero_point
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs

_RUNS_ON = (TensorType.FLOAT32, TensorType.INT8, TensorType.INT16)


def _ensure_symmetric(ctx: NodeContext, *tensors: Tensor) -> None:
    for tensor in tensors:
        ctx.ensure(zero_point(tensor) == 0, f"INT16 tensor {tensor.name!r} needs zero point 0")


def _prepare_relu(ctx: NodeContext) -> None:
    input, output = ctx.need_input(0), ctx.need_output(0)
    if input.type == TensorType.INT16:
        _ensure_symmetric(ctx, input, output)
    runs_on(ctx, input, *_RUNS_ON)


def _prepare_relu6(ctx: NodeContext) -> None:
    runs_on(ctx, ctx.need_input(0), *_RUNS_ON)


def _prepare_leaky_relu(ctx: NodeContext) -> None:
    need_counts(ctx, 1, 1)
    input, output = ctx.need_input(0), ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    runs_on(ctx, input, *_RUNS_ON)


def _check_sigmoid_scales(ctx: NodeContext, input: Tensor, output: Tensor) -> None:
    """What LOGISTIC and TANH ask of INT16 tensors: the output is a fraction of 15 bits."""
    _ensure_symmetric(ctx, input, output)
    ctx.ensure(rounded_log2(scale(output)) == -15, "the INT16 output needs scale 2^-15")


def _prepare_logistic(ctx: NodeContext) -> None:
    input, output = ctx.need_input(0), ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    if input.type == TensorType.INT8:
        ctx.ensure(zero_point(output) == -128, "the INT8 output needs zero point -128")
    elif input.type == TensorType.INT16:
        _check_sigmoid_scales(ctx, input, output)
    runs_on(ctx, input, *_RUNS_ON)


def _prepare_tanh(ctx: NodeContext) -> None:
    # The kernel looks at its input twice.
    ctx.need_input(0)
    need_counts(ctx, 1, 1)
    input, output = ctx.need_input(0), ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    if input.type == TensorType.INT16:
        _check_sigmoid_scales(ctx, input, output)
    runs_on(ctx, input, *_RUNS_ON)


def _prepare_hard_swish(ctx: NodeContext) -> None:
    need_counts(ctx, 1, 1)
    input, output = ctx.need_input(0), ctx.need_output(0)
    if input.type == TensorType.INT8:
        hires_scale = single(single(scale(input)) / 128)
        multiplier = single(quotient(hires_scale, single(scale(output))))
        ctx.ensure(
            exponent_of(multiplier) <= 0,
            "the input's scale must be less than 128 times the output's",
        )
    runs_on(ctx, input, TensorType.FLOAT32, TensorType.INT8)


def _prepare_elu(ctx: NodeContext) -> None:
    need_counts(ctx, 1, 1)
    input, output = ctx.need_input(0), ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    runs_on(ctx, input, TensorType.FLOAT32, TensorType.INT8)


register(
    "RELU",
    init=allocates("ReluOpData"),
    prepare=_prepare_relu,
    count=count_outputs,
    overlap=elementwise(0),
    loops=elements.rescaling,
)
register(
    "RELU6",
    init=allocates("Relu6OpData"),
    prepare=_prepare_relu6,
    count=count_outputs,
    overlap=elementwise(0),
    loops=elements.loops,
)
register(
    "LEAKY_RELU",
    params="TfLiteLeakyReluParams",
    init=allocates("LeakyReluOpData"),
    prepare=_prepare_leaky_relu,
    count=count_outputs,
    overlap=elementwise(0),
    loops=elements.rescaling,
)
register(
    "LOGISTIC",
    init=allocates("OpDataLogistic"),
    prepare=_prepare_logistic,
    count=count_outputs,
    overlap=elementwise(0),
    loops=elements.loops,
)
register(
    "TANH",
    init=allocates("OpDataTanh"),
    prepare=_prepare_tanh,
    count=count_outputs,
    overlap=elementwise(0),
    loops=elements.loops,
)
register(
    "HARD_SWISH",
    init=allocates("HardSwishParams"),
    prepare=_prepare_hard_swish,
    count=count_outputs,
    overlap=elementwise(0),
    loops=elements.loops,
)
register(
    "ELU",
    init=allocates("OpDataElu"),
    prepare=_prepare_elu,
    count=count_outputs,
    overlap=elementwise(0),
    loops=elements.loops,
)
