"""Operators that TFLM does not have, and those that it had later. Mirrors kernels/complex_abs.cc,
real.cc, reduce.cc, rfft2d.cc, scatter_nd.cc, tile.cc, topk_v2.cc and tree_ensemble_classifier.cc.
"""

from __future__ import annotations

from predictor.model.graph import TensorType
from predictor.operators.checks import constant_int32, ensure_constant, ensure_rank, need_counts
from predictor.operators.constants import constant_values
from predictor.operators.context import NodeContext
from predictor.operators.edge_impulse import register
from predictor.operators.evaluation import allocates, runs_on
from predictor.operators.reference.reduce import (
    check_axis,
    check_same_type_at_invoke,
    prepare_simple,
)
from predictor.operators.reference_2024_12.reductions import accumulate
from predictor.operators.registry import count_inputs, count_outputs

_BOOL, _FLOAT32, _COMPLEX64 = TensorType.BOOL, TensorType.FLOAT32, TensorType.COMPLEX64
_INT8, _UINT8, _INT16 = TensorType.INT8, TensorType.UINT8, TensorType.INT16
_INT32, _INT64 = TensorType.INT32, TensorType.INT64
_COMPLEX_BYTES = 8
_MOST_DIMENSIONS = 6


def _prepare_mean_or_sum(ctx: NodeContext) -> None:
    """It does not ask for the axis before it calls ``PrepareSimple``."""
    accumulate(ctx, ctx.need_input(0), ctx.need_output(0))


def _prepare_any(ctx: NodeContext) -> None:
    """REDUCE_ANY and REDUCE_ALL keep position and axes as REDUCE_MAX does, on any type."""
    axis = prepare_simple(ctx)
    input, output = ctx.need_input(0), ctx.need_output(0)
    ctx.scratch(4 * len(ctx.shape(input)))
    ctx.scratch(4 * ctx.element_count(axis))
    check_same_type_at_invoke(ctx, input, output)
    runs_on(ctx, input, _BOOL)
    check_axis(ctx, input, axis)


def _prepare_complex_abs(ctx: NodeContext) -> None:
    need_counts(ctx, 1, 1)
    ctx.ensure_type(ctx.need_input(0), _COMPLEX64)
    ctx.ensure_type(ctx.need_output(0), _FLOAT32)


def _prepare_part(ctx: NodeContext) -> None:
    """REAL and IMAG never give back the temporary tensors that they ask for."""
    _prepare_complex_abs(ctx)
    ctx.refuse("its Prepare does not free its temporary tensors, at which AllocateTensors fails")


def _prepare_rfft2d(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    input, length = ctx.need_input(0), ctx.need_input(1)
    output = ctx.need_output(0)
    ensure_rank(ctx, input, 2, _MOST_DIMENSIONS)
    ctx.ensure_type(input, _FLOAT32)
    ensure_rank(ctx, length, 1)
    ctx.ensure(ctx.shape(length) == (2,), "the length of the FFT must be two numbers")
    ctx.ensure_type(length, _INT32)
    ctx.scratch(ctx.runtime_bytes(output) // _COMPLEX_BYTES * _COMPLEX_BYTES)
    ctx.note("each run asks for temporary tensors in the arena that it does not free")
    if output.type != _COMPLEX64:
        ctx.fails_at_invoke(f"the output must be COMPLEX64, not {output.type.name}")
    sizes = constant_values(ctx, length)
    if sizes is not None and (sizes[0] != 1 or int(sizes[1]).bit_count() != 1):
        ctx.fails_at_invoke("it takes FFTs of one row whose length is a power of two")


def _prepare_scatter_nd(ctx: NodeContext) -> None:
    need_counts(ctx, 3, 1)
    indices, updates, shape = (ctx.need_input(position) for position in range(3))
    ctx.ensure_type(updates, _FLOAT32, _UINT8, _BOOL, _INT8, _INT64, _INT32)
    ctx.ensure(indices.type == shape.type, "indices and shape must have one type")
    output = ctx.need_output(0)
    ensure_constant(ctx, shape, "shape")
    ctx.ensure_type(indices, _INT32)
    wanted = constant_int32(ctx, shape, ctx.shape(shape)[0] if ctx.shape(shape) else 0)
    ctx.ensure(ctx.shape(output) == wanted, f"the output must have the shape {list(wanted)}")


def _prepare_tile(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    ctx.need_input(0)
    output, multipliers = ctx.need_output(0), ctx.need_input(1)
    ctx.ensure_type(multipliers, _INT32, _INT64)
    runs_on(ctx, output, _INT8, _UINT8, _FLOAT32, _INT32, _INT64, _BOOL)


def _prepare_topk(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 2)
    ctx.need_input(0)
    count = ctx.need_input(1)
    indexes, values = ctx.need_output(1), ctx.need_output(0, temp=False)
    runs_on(ctx, count, _INT32, _INT16)
    runs_on(ctx, indexes, _INT32, _INT16)
    runs_on(ctx, values, _FLOAT32, _UINT8, _INT8, _INT16, _INT32, _INT64)


def _prepare_trees(ctx: NodeContext) -> None:
    need_counts(ctx, 1, 1)
    input = ctx.need_input(0)
    ensure_rank(ctx, input, 2)
    ctx.need_output(0)
    ctx.inexact("whether the SDK takes its trees is not checked")


register("MEAN", "SUM", prepare=_prepare_mean_or_sum)
register("REDUCE_ALL", prepare=_prepare_any)
register(
    "REDUCE_ANY",
    params="TfLiteReducerParams",
    init=allocates("OpDataReduce"),
    prepare=_prepare_any,
    count=count_inputs,
)
register("COMPLEX_ABS", prepare=_prepare_complex_abs, count=count_outputs)
register("IMAG", "REAL", prepare=_prepare_part, count=count_outputs)
register("RFFT2D", init=allocates("OpDataRfft2d"), prepare=_prepare_rfft2d, count=count_outputs)
register("SCATTER_ND", prepare=_prepare_scatter_nd, count=count_outputs)
register("TILE", init=allocates("OpDataTile"), prepare=_prepare_tile, count=count_outputs)
register("TOPK_V2", prepare=_prepare_topk, count=count_inputs)
register(
    "TreeEnsembleClassifier",
    init=allocates("OpDataTree"),
    prepare=_prepare_trees,
    count=count_outputs,
)
