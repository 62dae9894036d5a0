"""Functions of single elements, and operators that fill their output.

Mirrors kernels/elementwise.cc, exp.cc, neg.cc, ceil.cc, floor.cc, round.cc, zeros_like.cc and
fill.cc.
"""

from __future__ import annotations

from math import prod

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import ensure_same_type, need_counts, need_one_of_each
from predictor.operators.constants import constant_values
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates, runs_on, unchecked_tensors
from predictor.operators.loops import elements
from predictor.operators.overlap_rules import elementwise
from predictor.operators.quantized import need_quantization
from predictor.operators.reference import register
from predictor.operators.registry import Step, count_outputs

_DIMS_TYPES = (TensorType.INT8, TensorType.INT16, TensorType.INT32, TensorType.INT64)


def _prepare_same_type(ctx: NodeContext) -> tuple[Tensor, Tensor]:
    input, output = need_one_of_each(ctx)
    ensure_same_type(ctx, input, output)
    return input, output


def _prepare_for(*types: TensorType) -> Step:
    """``GenericPrepare``: its check of the type has no effect, so that only Eval fails.

    The kernel's template parameter, the function that should tell the supported types, has no
    name, and what reads as a call of it is a conversion to its type.
    """

    def prepare(ctx: NodeContext) -> None:
        input, _ = _prepare_same_type(ctx)
        runs_on(ctx, input, *types)

    return prepare


def _prepare_abs_rsqrt(ctx: NodeContext) -> None:
    """``PrepareAbsRsqrt``; as in ``GenericPrepare``, its check of the type has no effect."""
    input, output = _prepare_same_type(ctx)
    is_int16 = input.type == TensorType.INT16
    if input.type == TensorType.INT8 or (is_int16 and input.quantization is not None):
        quantizations = (need_quantization(ctx, input), need_quantization(ctx, output))
        if is_int16:
            ctx.ensure(
                all(quantization.zero_point == 0 for quantization in quantizations),
                "INT16 tensors need zero point 0",
            )
    runs_on(ctx, input, TensorType.FLOAT32, TensorType.INT8, TensorType.INT16)
    if ctx.op.name == "RSQRT" and input.type in (TensorType.INT8, TensorType.INT16):
        ctx.note("it returns an error when it runs on a value below the input's zero point")


def _prepare_float_same_shape(ctx: NodeContext) -> None:
    """What EXP, CEIL and ROUND check (the order of their checks differs, without effect)."""
    input, output = need_one_of_each(ctx)
    ctx.ensure_type(input, TensorType.FLOAT32)
    ctx.ensure_type(output, TensorType.FLOAT32)
    # The number of bytes is that of the shapes in the file.
    ctx.ensure(
        prod(input.shape) == prod(output.shape) and ctx.shape(input) == ctx.shape(output),
        "input and output differ in shape",
    )


def _prepare_float_unchecked(ctx: NodeContext) -> None:
    """NEG and FLOOR: TFLM has no Prepare for them, Eval checks the input's type."""
    tensors = unchecked_tensors(ctx, 1)
    if tensors is not None:
        runs_on(ctx, tensors[0], TensorType.FLOAT32)


def _prepare_zeros_like(ctx: NodeContext) -> None:
    need_counts(ctx, 1, 1)
    input = ctx.need_input(0)
    ctx.need_output(0)
    runs_on(ctx, input, TensorType.INT64, TensorType.INT32, TensorType.INT8, TensorType.FLOAT32)


def _prepare_fill(ctx: NodeContext) -> None:
    dims, value, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ctx.ensure(ctx.shape(value) == (), "the value must be a scalar")
    ensure_same_type(ctx, value, output)
    ctx.ensure(dims.is_constant, "the dims must be constant")
    out_shape = ctx.shape(output)
    ctx.ensure(ctx.shape(dims) == (len(out_shape),), "the dims must have one element per dimension")
    ctx.ensure_type(dims, *_DIMS_TYPES)
    values = constant_values(ctx, dims)
    if values is None:
        ctx.inexact("the file is too short to hold the dims")
    else:
        ctx.ensure(values == out_shape, f"the output does not have the shape {list(values)}")
    runs_on(ctx, value, TensorType.FLOAT32, TensorType.INT32, TensorType.INT8)


register(
    "ABS",
    "RSQRT",
    init=allocates("OpDataAbsRsqrt"),
    prepare=_prepare_abs_rsqrt,
    count=count_outputs,
    overlap=elementwise(0),
    loops=elements.loops,
)
register(
    "SIN",
    "COS",
    "LOG",
    "SQRT",
    "SQUARE",
    prepare=_prepare_for(TensorType.FLOAT32),
    count=count_outputs,
    overlap=elementwise(0),
    loops=elements.loops,
)
register(
    "LOGICAL_NOT",
    prepare=_prepare_for(TensorType.BOOL),
    count=count_outputs,
    overlap=elementwise(0),
    loops=elements.loops,
)
register(
    "EXP",
    "CEIL",
    "ROUND",
    prepare=_prepare_float_same_shape,
    count=count_outputs,
    overlap=elementwise(0),
    loops=elements.loops,
)
register(
    "NEG",
    "FLOOR",
    prepare=_prepare_float_unchecked,
    count=count_outputs,
    overlap=elementwise(0),
    loops=elements.loops,
)
register("ZEROS_LIKE", prepare=_prepare_zeros_like, count=count_outputs, loops=elements.loops)
register("FILL", prepare=_prepare_fill, count=count_outputs, loops=elements.loops)
