"""AVERAGE_POOL_2D, MAX_POOL_2D, L2_POOL_2D. Mirrors kernels/pooling_common.cc, kernels/pooling.cc
and kernels/l2_pool_2d.cc."""

from __future__ import annotations

from collections.abc import Sequence
from math import fabs

from predictor.model.floating import single
from predictor.model.geometry import padding_of
from predictor.model.graph import Tensor, TensorType
from predictor.operators.access_order import InputOverlap, Windows, by_position, windows_of
from predictor.operators.checks import ensure_rank, need_counts, writable_dims
from predictor.operators.context import NodeContext
from predictor.operators.convolution import expect_4d
from predictor.operators.evaluation import allocates
from predictor.operators.loops import Loops
from predictor.operators.loops.windows import Axis, axes
from predictor.operators.parsing import options_of
from predictor.operators.quantized import scale, zero_point
from predictor.operators.reference import register
from predictor.operators.registry import OpCount
from predictor.operators.sizes import RUNTIME_TYPE_BYTES

_OPTIONS = "Pool2DOptions"
QUANTIZED = (TensorType.INT8, TensorType.INT16)

BY_POSITION = "each position is finished before the next"


def count(ctx: NodeContext) -> OpCount:
    """One elementary operation for each element of each window."""
    output, options = ctx.output(0), options_of(ctx, _OPTIONS)
    if output is None:
        return OpCount()
    window = options.get("filter_height", 0) * options.get("filter_width", 0)
    return OpCount(0, ctx.element_count(output) * max(0, window))


def check_tensors(ctx: NodeContext) -> tuple[Tensor, Tensor]:
    """Mirrors ``PoolingPrepare``, which passes over errors in the activation range."""
    input, output = ctx.need_input(0), ctx.need_output(0)
    expect_4d(ctx, input, output)
    ctx.ensure_type(input, TensorType.FLOAT32, *QUANTIZED)
    if input.type in QUANTIZED:
        difference = single(single(scale(input)) - single(scale(output)))
        ctx.ensure(fabs(difference) <= 1.0e-6, "input and output differ in scale")
        ctx.ensure(zero_point(input) == zero_point(output), "input and output differ in zero point")
    return input, output


def _prepare(ctx: NodeContext) -> None:
    check_tensors(ctx)


def _prepare_l2(ctx: NodeContext) -> None:
    """Mirrors ``L2Prepare``, which computes the output's shape anew."""
    need_counts(ctx, 1, 1)
    output, input = ctx.need_output(0), ctx.need_input(0)
    ensure_rank(ctx, input, 4)
    ensure_rank(ctx, output, 4)
    ctx.ensure_type(input, TensorType.FLOAT32)
    ctx.ensure_type(output, TensorType.FLOAT32)
    batches, height, width, channels = ctx.shape(input)
    options = options_of(ctx, _OPTIONS)
    window = options.get("filter_height", 0), options.get("filter_width", 0)
    padding = padding_of(options, (height, width), window)
    writable_dims(ctx, output, 4)
    ctx.set_shape(output, (batches, padding.out_height, padding.out_width, channels))


def windows(ctx: NodeContext) -> Windows | None:
    """The windows, None for shapes that are no pooling."""
    options = options_of(ctx, _OPTIONS)
    filter_size = options.get("filter_height", 0), options.get("filter_width", 0)
    found = windows_of(ctx, filter_size, _OPTIONS, dilates=False)
    return None if found is None or found.in_channels != found.out_channels else found


def overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    """Positions ascend, within them channels; each output element reads its window."""
    input, found = ctx.input(0), windows(ctx)
    if input is None or found is None:
        return ()
    ahead = by_position(found) * RUNTIME_TYPE_BYTES[input.type]
    return (InputOverlap(0, ahead, BY_POSITION),)


def window_axes(ctx: NodeContext) -> tuple[Axis, Axis] | None:
    """Rows and columns of the windows, None for shapes whose loops are not known."""
    options = options_of(ctx, _OPTIONS)
    window = options.get("filter_height", 0), options.get("filter_width", 0)
    return axes(ctx, _OPTIONS, window, dilated=False)


def loops(ctx: NodeContext) -> Loops | None:
    """Nested loops, one result after the other."""
    input, found = ctx.input(0), window_axes(ctx)
    if input is None or found is None:
        return None
    rows, columns = found
    batches, _, _, channels = ctx.shape(input)
    pixels, inside = batches * rows.out * columns.out, batches * rows.inside() * columns.inside()
    lines = batches * rows.inside() * columns.out
    name = f"{ctx.op.name.lower()}_{input.type.name.lower()}"
    made = Loops()
    made.add(name, call=1, pixel=pixels, result=pixels * channels)
    made.add(name, line=lines * channels, tap=inside * channels)
    return made


register(
    "AVERAGE_POOL_2D",
    params="TfLitePoolParams",
    init=allocates("PoolingOpData"),
    prepare=_prepare,
    count=count,
    overlap=overlap,
    loops=loops,
)
register(
    "MAX_POOL_2D",
    params="TfLitePoolParams",
    init=allocates("PoolingOpData"),
    prepare=_prepare,
    count=count,
    overlap=overlap,
    loops=loops,
)
register(
    "L2_POOL_2D",
    params="TfLitePoolParams",
    prepare=_prepare_l2,
    count=count,
    overlap=overlap,
    loops=loops,
)
