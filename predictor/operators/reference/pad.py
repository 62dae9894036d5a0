"""PAD, PADV2, MIRROR_PAD. Mirrors kernels/pad_common.cc and mirror_pad.cc; both kernel sets
prepare alike."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from predictor.model.graph import Tensor, TensorType
from predictor.operators.access_order import InputOverlap
from predictor.operators.checks import (
    constant_int32,
    ensure_constant,
    ensure_rank,
    ensure_same_type,
    need_counts,
)
from predictor.operators.constants import constant_values
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates, runs_on
from predictor.operators.loops import elements, movement
from predictor.operators.quantized import INT32_BYTES, scale, zero_point
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs
from predictor.operators.sizes import RUNTIME_TYPE_BYTES

_MAX_RANK = 5


def _prepare_pad(ctx: NodeContext) -> None:
    """Mirrors ``PadPrepare``."""
    need_counts(ctx, (2, 3), 1)
    input, paddings = ctx.need_input(0), ctx.need_input(1)
    constant_values = ctx.temp_input(2)
    output = ctx.need_output(0)
    ensure_same_type(ctx, input, output)
    ensure_rank(ctx, input, 0, _MAX_RANK)
    if constant_values is not None:
        ensure_same_type(ctx, input, constant_values)
        ctx.ensure(ctx.element_count(constant_values) == 1, "the padding value must be a scalar")
    in_shape, out_shape = ctx.shape(input), ctx.shape(output)
    ctx.ensure(
        ctx.element_count(paddings) == 2 * len(out_shape),
        f"the paddings {list(ctx.shape(paddings))} are not two for each output dimension",
    )
    ensure_constant(ctx, paddings, "paddings")
    ctx.ensure(
        len(out_shape) <= len(in_shape),
        f"the output has {len(out_shape)} dimensions, the input {len(in_shape)}",
    )
    values = constant_int32(ctx, paddings, 2 * len(out_shape))
    for axis, dim in enumerate(out_shape):
        padded = in_shape[axis] + values[2 * axis] + values[2 * axis + 1]
        ctx.ensure(
            dim == padded, f"dimension {axis} of the output is {dim}, the padded input has {padded}"
        )
    if input.type == TensorType.INT8:
        _check_quantization(ctx, constant_values, output)
    runs_on(ctx, input, TensorType.FLOAT32, TensorType.INT8, TensorType.INT16, TensorType.INT32)


def _check_quantization(ctx: NodeContext, constant: Tensor | None, output: Tensor) -> None:
    if constant is None:
        point = zero_point(output)
        ctx.ensure(-128 <= point <= 127, f"the output's zero point {point} is not an int8")
        return
    ctx.ensure(
        zero_point(output) == zero_point(constant) and scale(output) == scale(constant),
        "padding value and output differ in scale or zero point",
    )


def _prepare_mirror_pad(ctx: NodeContext) -> None:
    input, paddings, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ensure_rank(ctx, paddings, 2)
    rank = len(ctx.shape(input))
    ctx.ensure(
        ctx.shape(paddings)[0] == rank,
        f"the paddings {list(ctx.shape(paddings))} do not suit an input of {rank} dimensions",
    )
    ctx.scratch(rank * INT32_BYTES)
    ctx.scratch(rank * INT32_BYTES)
    runs_on(ctx, output, TensorType.FLOAT32, TensorType.INT8)


def _overlap(ctx: NodeContext) -> Sequence[InputOverlap]:
    return padded_overlap(ctx, copies_rows=False)


def padded_overlap(ctx: NodeContext, copies_rows: bool) -> Sequence[InputOverlap]:
    """The padding before an element is all that runs ahead of it.

    ``copies_rows``: the pixels of a row are copied at once where channels are not padded, else
    each pixel: the two ranges of a copy never meet.
    """
    input, output, paddings = ctx.input(0), ctx.output(0), ctx.input(1)
    if input is None or output is None or paddings is None:
        return ()
    in_shape, out_shape = ctx.shape(input), ctx.shape(output)
    values = constant_values(ctx, paddings)
    if values is None or not len(values) == 2 * len(in_shape) == 2 * len(out_shape):
        return ()
    if min(values, default=0) < 0:
        return ()
    last = 0
    for size, out_size, before in zip(in_shape, out_shape, values[::2], strict=True):
        last = last * out_size + int(before) + size - 1
    distance = last - (ctx.element_count(input) - 1)
    rule = "only padding is written before the element that follows it is read"
    rule += "; rows are copied at once" if copies_rows else ""
    distance += prod(in_shape[-2:]) if copies_rows else 0
    return (InputOverlap(0, max(0, distance) * RUNTIME_TYPE_BYTES[input.type], rule),)


register(
    "PAD",
    "PADV2",
    init=allocates("OpDataPad"),
    prepare=_prepare_pad,
    count=count_outputs,
    overlap=_overlap,
    loops=movement.pad,
)
register(
    "MIRROR_PAD",
    params="TfLiteMirrorPaddingParams",
    init=allocates("OpDataMirrorPad"),
    prepare=_prepare_mirror_pad,
    count=count_outputs,
    loops=elements.loops,
)
