"""Reductions, ARG_MAX and ARG_MIN, CUMSUM and L2_NORMALIZATION.

Mirrors kernels/reduce_common.cc, arg_min_max.cc, cumsum.cc and l2norm.cc.
"""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import need_counts, need_one_of_each
from predictor.operators.constants import constant_values
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates, runs_on, unchecked_tensors
from predictor.operators.fixed_point import (
    check_accumulation,
)
from predictor.operators.loops import elements
from predictor.operators.parsing import ACTIVATION_NONE, check_element_types, fused_activation
from predictor.operators.quantized import INT32_BYTES, scale, zero_point
from predictor.operators.reference import register
from predictor.operators.registry import OpCount, count_inputs, count_outputs

_FLOAT32, _INT8, _INT16 = TensorType.FLOAT32, TensorType.INT8, TensorType.INT16
_CUMSUM_SHIFT = 20
_ARG_OPTIONS = {"ARG_MAX": "ArgMaxOptions", "ARG_MIN": "ArgMinOptions"}


def count_l2_normalization(ctx: NodeContext) -> OpCount:
    """Two operations for each element: its square is added up, then it is divided."""
    return OpCount(0, 2 * count_outputs(ctx).other_ops)


def prepare_simple(ctx: NodeContext) -> Tensor:
    """Mirrors ``PrepareSimple``; returns the axis."""
    input = ctx.need_input(0)
    need_counts(ctx, 2, 1)
    axis = ctx.need_input(1)
    ctx.ensure_type(axis, TensorType.INT32)
    if input.type == _INT8:
        ctx.need_output(0)
    return axis


def _request_iterators(ctx: NodeContext, input: Tensor, axis: Tensor) -> None:
    """The position in the input, and the axes without duplicates."""
    ctx.scratch(INT32_BYTES * len(ctx.shape(input)))
    ctx.scratch(INT32_BYTES * ctx.element_count(axis))


def check_axis(ctx: NodeContext, input: Tensor, axis: Tensor) -> None:
    """Eval returns an error on axes that the input does not have."""
    rank = len(ctx.shape(input))
    axes = constant_values(ctx, axis)
    if rank and axes and not all(-rank <= value < rank for value in axes):
        ctx.fails_at_invoke(f"the input has no axis {list(axes)}")


def _prepare_mean_or_sum(ctx: NodeContext) -> None:
    """Mirrors ``PrepareMeanOrSumHelper``, which looks at the tensors before it checks any."""
    input, output, axis = ctx.need_input(0), ctx.need_output(0), ctx.need_input(1)
    if input.type in (_INT8, _INT16):
        ctx.scratch(INT32_BYTES * ctx.element_count(output))
    _request_iterators(ctx, input, axis)
    prepare_simple(ctx)
    runs_on(ctx, input, _FLOAT32, _INT8, _INT16)
    if ctx.op.name == "SUM":
        check_same_type_at_invoke(ctx, input, output)
    if input.type == _FLOAT32:
        # Eval ignores such an error for quantised inputs.
        check_axis(ctx, input, axis)


def check_same_type_at_invoke(ctx: NodeContext, input: Tensor, output: Tensor) -> None:
    if input.type != output.type:
        ctx.fails_at_invoke(f"input is {input.type.name} but output is {output.type.name}")


def _prepare_min_max(ctx: NodeContext) -> None:
    """Mirrors ``PrepareMinMaxHelper``."""
    prepare_simple(ctx)
    input, output, axis = ctx.need_input(0), ctx.need_output(0), ctx.need_input(1)
    _request_iterators(ctx, input, axis)
    check_same_type_at_invoke(ctx, input, output)
    runs_on(ctx, input, _FLOAT32, _INT8)
    check_axis(ctx, input, axis)
    if input.type == _INT8 and (
        scale(input) != scale(output) or zero_point(input) != zero_point(output)
    ):
        ctx.fails_at_invoke("input and output differ in scale or zero point")


def _prepare_all(ctx: NodeContext) -> None:
    """Mirrors ``PrepareAllHelper``."""
    input, output, axis = ctx.need_input(0), ctx.need_output(0), ctx.need_input(1)
    ctx.ensure_type(input, TensorType.BOOL)
    prepare_simple(ctx)
    _request_iterators(ctx, input, axis)
    check_same_type_at_invoke(ctx, input, output)
    check_axis(ctx, input, axis)


def _prepare_arg_min_max(ctx: NodeContext) -> None:
    """TFLM has no Prepare for these; the parser reads the output type, which nothing uses."""
    check_element_types(ctx, _ARG_OPTIONS[ctx.op.name], "output_type")
    tensors = unchecked_tensors(ctx, 2)
    if tensors is None:
        return
    input, axis, output = tensors
    runs_on(ctx, input, _FLOAT32, _INT8)
    for name, tensor in (("axis", axis), ("output", output)):
        if tensor.type != TensorType.INT32:
            ctx.fails_at_invoke(f"the {name} must be INT32, not {tensor.type.name}")


def _prepare_cumsum(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    input, axis = ctx.need_input(0), ctx.need_input(1)
    ctx.ensure_type(input, _FLOAT32, _INT8)
    ctx.ensure_type(axis, TensorType.INT32)
    ctx.ensure(ctx.element_count(axis) == 1, "the axis must have 1 element")
    ctx.ensure(ctx.shape(input) != (), "the input must not be a scalar")
    output = ctx.need_output(0)
    ctx.ensure_type(output, input.type)
    ctx.ensure(ctx.shape(input) == ctx.shape(output), "input and output differ in shape")
    if output.type == _INT8:
        ctx.persistent_struct("OpDataCumsum")
        check_accumulation(ctx, input, output, _CUMSUM_SHIFT)
    check_axis(ctx, input, axis)


def _prepare_l2_normalization(ctx: NodeContext) -> None:
    input, output = need_one_of_each(ctx)
    ctx.ensure(len(ctx.shape(input)) <= 4, "the input has more than 4 dimensions")
    ctx.ensure_type(output, _FLOAT32, _INT8)
    ctx.ensure_type(input, output.type)
    ctx.ensure(
        fused_activation(ctx, "L2NormOptions") == ACTIVATION_NONE,
        "it does not support a fused activation",
    )


register(
    "MEAN",
    "SUM",
    params="TfLiteReducerParams",
    init=allocates("OpDataReduce"),
    prepare=_prepare_mean_or_sum,
    count=count_inputs,
    loops=elements.reduction,
)
register(
    "REDUCE_MAX",
    "REDUCE_MIN",
    params="TfLiteReducerParams",
    init=allocates("OpDataReduce"),
    prepare=_prepare_min_max,
    count=count_inputs,
    loops=elements.reduction,
)
register(
    "REDUCE_ALL",
    params="TfLiteReducerParams",
    init=allocates("OpDataReduce"),
    prepare=_prepare_all,
    count=count_inputs,
    loops=elements.reduction,
)
register(
    "ARG_MAX",
    params="TfLiteArgMaxParams",
    prepare=_prepare_arg_min_max,
    count=count_inputs,
    loops=elements.reduction,
)
register(
    "ARG_MIN",
    params="TfLiteArgMinParams",
    prepare=_prepare_arg_min_max,
    count=count_inputs,
    loops=elements.reduction,
)
register(
    "CUMSUM",
    params="TfLiteCumsumParams",
    prepare=_prepare_cumsum,
    count=count_outputs,
    loops=elements.loops,
)
register(
    "L2_NORMALIZATION",
    params="TfLiteL2NormParams",
    init=allocates("L2NormalizationParams"),
    prepare=_prepare_l2_normalization,
    count=count_l2_normalization,
    loops=elements.rows,
)
