"""SOFTMAX and LOG_SOFTMAX. Mirrors kernels/softmax_common.cc, kernels/cmsis_nn/softmax.cc and
kernels/log_softmax.cc."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.model.floating import single
from predictor.model.graph import Tensor, TensorType
from predictor.operators.access_order import InputOverlap
from predictor.operators.checks import (
    check_runtime_shape,
    ensure_same_type,
    need_counts,
    need_one_of_each,
)
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates, runs_on
from predictor.operators.loops import elements
from predictor.operators.overlap_rules import elementwise
from predictor.operators.parsing import options_of
from predictor.operators.quantized import INT16_BYTES, ensure_symmetric, scale, zero_point
from predictor.operators.reference import register
from predictor.operators.registry import OpCount

_LUT_ENTRIES = 513
_MULTIPLIER_BITS = 31 - 5
"""Fraction bits of the scaled differences: kScaledDiffIntegerBits is 5."""
_OPERATIONS_PER_ELEMENT = 5


def count(ctx: NodeContext) -> OpCount:
    """Five operations for each element: maximum, difference, exponential, sum, scaling."""
    tensor = ctx.output(0)
    return OpCount(0, 0 if tensor is None else _OPERATIONS_PER_ELEMENT * ctx.element_count(tensor))


def _check_near(ctx: NodeContext, output: Tensor, wanted: float) -> None:
    """Mirrors ``TF_LITE_ENSURE_NEAR`` of the output's scale, within a thousandth."""
    difference = abs(single(single(scale(output)) - single(wanted)))
    ctx.ensure(
        # NaN passes.
        not difference > single(single(0.001) * single(wanted)),
        f"the output needs the scale {wanted}, not {scale(output)}",
    )


def check_scaling(ctx: NodeContext, input: Tensor, beta: float) -> None:
    """Mirrors ``PreprocessSoftmaxScaling``."""
    multiplier = beta * scale(input) * (1 << _MULTIPLIER_BITS)
    ctx.ensure(
        multiplier > 1.0,
        f"TFLM aborts: beta {beta:g} x input scale {scale(input):g} must be above "
        f"2^-{_MULTIPLIER_BITS}",
    )


def _prepare(ctx: NodeContext) -> None:
    """Mirrors ``SoftmaxPrepare`` and ``CalculateSoftmaxParams``."""
    need_counts(ctx, 1, 1)
    input = ctx.need_input(0)
    ctx.ensure(len(ctx.shape(input)) >= 1, "the input needs a dimension")
    output = ctx.need_output(0)
    check_runtime_shape(ctx, input, output)
    if input.type == TensorType.INT16:
        ctx.persistent(INT16_BYTES * _LUT_ENTRIES)
        ctx.persistent(INT16_BYTES * _LUT_ENTRIES)
    if input.type != TensorType.INT8 or output.type != TensorType.INT16:
        ensure_same_type(ctx, input, output)
    ctx.ensure_type(input, TensorType.FLOAT32, TensorType.INT8, TensorType.INT16)
    if input.type == TensorType.INT16:
        ensure_symmetric(ctx, input, output)
        _check_near(ctx, output, 1 / 32768)
    elif input.type == TensorType.INT8:
        if output.type == TensorType.INT16:
            ctx.ensure(zero_point(output) == -32768, "int16 output needs zero point -32768")
            _check_near(ctx, output, 1 / 65536)
        else:
            ctx.ensure(zero_point(output) == -128, "int8 output needs zero point -128")
            ctx.ensure(scale(output) == 1 / 256, "int8 output needs the scale 1/256")
        check_scaling(ctx, input, options_of(ctx, "SoftmaxOptions").get("beta", 0.0))


def _prepare_log(ctx: NodeContext) -> None:
    """Mirrors ``CalculateOpData`` of LOG_SOFTMAX."""
    input, output = need_one_of_each(ctx)
    ensure_same_type(ctx, input, output)
    ctx.ensure(ctx.shape(input) == ctx.shape(output), "input and output differ in shape")
    check_runtime_shape(ctx, input)
    if input.type == TensorType.INT8:
        ctx.persistent_struct("LogSoftmaxOpData")
        ctx.ensure(scale(output) == 16 / 256, "int8 output needs the scale 16/256")
        ctx.ensure(zero_point(output) == 127, "int8 output needs zero point 127")
        check_scaling(ctx, input, beta=1.0)
    runs_on(ctx, input, TensorType.FLOAT32, TensorType.INT8)


def overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    """Rows are read as often as needed, then each element again before its result is written."""
    input, output = ctx.input(0), ctx.output(0)
    if input is None or output is None or input.type != output.type:
        return ()
    return elementwise(0)(ctx)


register(
    "SOFTMAX",
    params="TfLiteSoftmaxParams",
    init=allocates("SoftmaxOpData"),
    prepare=_prepare,
    count=count,
    overlap=overlap,
    loops=elements.rows,
)
register("LOG_SOFTMAX", prepare=_prepare_log, count=count, loops=elements.rows)
