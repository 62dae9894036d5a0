"""DEPTH_TO_SPACE, SPACE_TO_DEPTH, BATCH_TO_SPACE_ND, SPACE_TO_BATCH_ND. Mirrors
kernels/depth_to_space.cc, space_to_depth.cc, batch_to_space_nd.cc and space_to_batch_nd.cc."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import (
    divide,
    ensure_rank,
    ensure_same_type,
    int_option,
    need_counts,
    need_one_of_each,
    writable_dims,
)
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates, runs_on
from predictor.operators.loops import elements, movement
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs


def _need_image(ctx: NodeContext) -> tuple[Tensor, Tensor]:
    """Input and output of an operator that moves values between depth and space."""
    input, output = need_one_of_each(ctx)
    ensure_rank(ctx, input, 4)
    ctx.ensure_type(output, TensorType.FLOAT32, TensorType.INT8)
    ensure_same_type(ctx, input, output)
    return input, output


def _replace_shape(ctx: NodeContext, output: Tensor, shape: tuple[int, ...]) -> None:
    """Overwrites the first four dims; the output keeps the rank that the file gives it."""
    rank = len(ctx.shape(output))
    writable_dims(ctx, output, len(shape))
    ctx.set_shape(output, (shape + ctx.shape(output)[4:])[:rank])


def _prepare_depth_to_space(ctx: NodeContext) -> None:
    input, output = _need_image(ctx)
    block = int_option(ctx, "DepthToSpaceOptions", "block_size")
    ctx.ensure(block > 0, f"block size {block} is not positive")
    batches, height, width, depth = ctx.shape(input)
    out_depth = depth // block // block
    ctx.ensure(
        out_depth * block * block == depth,
        f"the depth {depth} is no multiple of the squared block size {block}",
    )
    _replace_shape(ctx, output, (batches, height * block, width * block, out_depth))


def _prepare_space_to_depth(ctx: NodeContext) -> None:
    input, output = _need_image(ctx)
    block = int_option(ctx, "SpaceToDepthOptions", "block_size")
    batches, height, width, depth = ctx.shape(input)
    out_height, out_width = divide(height, block), divide(width, block)
    ctx.ensure(
        out_height * block == height and out_width * block == width,
        f"the image of {height}x{width} is no multiple of the block size {block}",
    )
    _replace_shape(ctx, output, (batches, out_height, out_width, depth * block * block))


def _prepare_batch_and_space(ctx: NodeContext) -> None:
    need_counts(ctx, 3, 1)
    # Block shape and crops are read at run time only: TFLM does not look at them here.
    input, output = ctx.need_input(0), ctx.need_output(0)
    ensure_rank(ctx, input, 3, 4)
    ensure_rank(ctx, output, 3, 4)
    ensure_same_type(ctx, input, output)
    runs_on(ctx, input, TensorType.FLOAT32, TensorType.INT8)


register(
    "DEPTH_TO_SPACE",
    params="TfLiteDepthToSpaceParams",
    prepare=_prepare_depth_to_space,
    count=count_outputs,
    loops=movement.block_shuffle,
)
register(
    "SPACE_TO_DEPTH",
    params="TfLiteSpaceToDepthParams",
    prepare=_prepare_space_to_depth,
    count=count_outputs,
    loops=movement.block_shuffle,
)
register(
    "BATCH_TO_SPACE_ND", prepare=_prepare_batch_and_space, count=count_outputs, loops=elements.loops
)
register(
    "SPACE_TO_BATCH_ND",
    init=allocates("SpaceToBatchParams"),
    prepare=_prepare_batch_and_space,
    count=count_outputs,
    loops=elements.loops,
)
