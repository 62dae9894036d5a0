"""Activation functions.

Mirrors kernels/activations_common.cc, leaky_relu_common.cc, logistic_common.cc,
tanh.cc, hard_swish_common.cc and elu.cc, with the Eval functions that go with them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from predictor.model.floating import quotient, single
from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import ensure_same_type, need_one_of_each
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates, runs_on
from predictor.operators.fixed_point import exponent_of, rounded_log2
from predictor.operators.loops import elements
from predictor.operators.overlap_rules import elementwise
from predictor.operators.quantized import ensure_symmetric, scale, zero_point
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs

_RUNS_ON = (TensorType.FLOAT32, TensorType.INT8, TensorType.INT16)


def _prepare_relu(ctx: NodeContext) -> None:
    input, output = ctx.need_input(0), ctx.need_output(0)
    if input.type == TensorType.INT16:
        ensure_symmetric(ctx, input, output)
    runs_on(ctx, input, *_RUNS_ON)


def _prepare_relu6(ctx: NodeContext) -> None:
    runs_on(ctx, ctx.need_input(0), *_RUNS_ON)


def _keeping_type(*runs: TensorType) -> Callable[[NodeContext], None]:
    """The Prepare of a function from tensors of some types to tensors of the same type."""

    def prepare(ctx: NodeContext) -> None:
        input, output = need_one_of_each(ctx)
        ensure_same_type(ctx, input, output)
        runs_on(ctx, input, *runs)

    return prepare


def _check_sigmoid_scales(ctx: NodeContext, input: Tensor, output: Tensor) -> None:
    """What LOGISTIC and TANH ask of INT16 tensors: the output is a fraction of 15 bits."""
    ensure_symmetric(ctx, input, output)
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
    input, output = need_one_of_each(ctx)
    ensure_same_type(ctx, input, output)
    if input.type == TensorType.INT16:
        _check_sigmoid_scales(ctx, input, output)
    runs_on(ctx, input, *_RUNS_ON)


def _prepare_hard_swish(ctx: NodeContext) -> None:
    input, output = need_one_of_each(ctx)
    if input.type == TensorType.INT8:
        hires_scale = single(single(scale(input)) / 128)
        multiplier = single(quotient(hires_scale, single(scale(output))))
        ctx.ensure(
            exponent_of(multiplier) <= 0,
            "the input's scale must be less than 128 times the output's",
        )
    runs_on(ctx, input, TensorType.FLOAT32, TensorType.INT8)


_register = partial(register, count=count_outputs, overlap=elementwise(0))

_register("RELU", init=allocates("ReluOpData"), prepare=_prepare_relu, loops=elements.rescaling)
_register("RELU6", init=allocates("Relu6OpData"), prepare=_prepare_relu6, loops=elements.loops)
_register(
    "LEAKY_RELU",
    params="TfLiteLeakyReluParams",
    init=allocates("LeakyReluOpData"),
    prepare=_keeping_type(*_RUNS_ON),
    loops=elements.rescaling,
)
_register(
    "LOGISTIC",
    init=allocates("OpDataLogistic"),
    prepare=_prepare_logistic,
    loops=elements.loops,
)
_register("TANH", init=allocates("OpDataTanh"), prepare=_prepare_tanh, loops=elements.loops)
_register(
    "HARD_SWISH",
    init=allocates("HardSwishParams"),
    prepare=_prepare_hard_swish,
    loops=elements.loops,
)
_register(
    "ELU",
    init=allocates("OpDataElu"),
    prepare=_keeping_type(TensorType.FLOAT32, TensorType.INT8),
    loops=elements.loops,
)
