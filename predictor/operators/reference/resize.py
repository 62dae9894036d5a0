"""RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR. Mirrors kernels/resize_bilinear.cc and
resize_nearest_neighbor.cc."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import ensure_constant, ensure_rank, int_option, need_counts
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import runs_on
from predictor.operators.loops import elements, movement
from predictor.operators.reference import register
from predictor.operators.registry import OpCount, count_outputs

_BILINEAR_OPS = 7
"""Of each output element: four products and three additions."""


def _need_tensors(ctx: NodeContext) -> tuple[Tensor, Tensor]:
    """Size and output of a resize."""
    need_counts(ctx, 2, 1)
    input, size, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ensure_rank(ctx, input, 4)
    ensure_rank(ctx, size, 1)
    ctx.ensure_type(size, TensorType.INT32)
    ensure_constant(ctx, size, "size")
    return size, output


def _prepare_bilinear(ctx: NodeContext) -> None:
    _, output = _need_tensors(ctx)
    ctx.ensure(
        not (
            int_option(ctx, "ResizeBilinearOptions", "half_pixel_centers")
            and int_option(ctx, "ResizeBilinearOptions", "align_corners")
        ),
        "half_pixel_centers and align_corners exclude each other",
    )
    runs_on(ctx, output, TensorType.FLOAT32, TensorType.INT8)


def _prepare_nearest_neighbor(ctx: NodeContext) -> None:
    size, output = _need_tensors(ctx)
    ctx.ensure(ctx.shape(size) == (2,), f"its size has {ctx.shape(size)[0]} values, not 2")
    runs_on(ctx, output, TensorType.FLOAT32, TensorType.INT8, TensorType.INT16)


def count_bilinear(ctx: NodeContext) -> OpCount:
    """Seven elementary operations for each output element."""
    return OpCount(0, _BILINEAR_OPS * count_outputs(ctx).other_ops)


register(
    "RESIZE_BILINEAR",
    params="TfLiteResizeBilinearParams",
    prepare=_prepare_bilinear,
    count=count_bilinear,
    loops=elements.loops,
)
register(
    "RESIZE_NEAREST_NEIGHBOR",
    params="TfLiteResizeNearestNeighborParams",
    prepare=_prepare_nearest_neighbor,
    count=count_outputs,
    loops=movement.resize_nearest,
)
