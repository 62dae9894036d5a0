"""Operators that move elements.

Mirrors kernels/concatenation.cc, pack.cc, unpack.cc, split.cc, pad.cc, reshape.cc,
strided_slice.cc and resize_nearest_neighbor.cc.
"""

from __future__ import annotations

from math import prod

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import (
    constant_int32,
    ensure_constant,
    ensure_rank,
    ensure_same_type,
    int_option,
    need_counts,
)
from predictor.operators.context import NodeContext
from predictor.operators.loops import Loops, movement
from predictor.operators.loops.elements import kernel_name
from predictor.operators.parsing import ACTIVATION_NONE, fused_activation
from predictor.operators.quantized import scale, zero_point
from predictor.operators.reference.shape import check_option_dims
from predictor.operators.reference.slicing import SliceAxis, check_strided_slice
from predictor.operators.reference_2020 import register
from predictor.operators.reference_2020.evaluation import BROADCAST_RANK, MAX_RANK, limit_rank

_FLOAT32, _INT8, _UINT8 = TensorType.FLOAT32, TensorType.INT8, TensorType.UINT8
_INT16, _INT32, _INT64 = TensorType.INT16, TensorType.INT32, TensorType.INT64
_MAX_CONCATENATION_INPUTS = 10
_MAX_RANK = 4
"""Dimensions that CONCATENATION and PAD take."""
_ZERO_POINTS = {_INT8: range(-128, 128), _UINT8: range(256)}


def _prepare_concatenation(ctx: NodeContext) -> None:
    input, output = ctx.need_input(0), ctx.need_output(0)
    ctx.ensure(
        fused_activation(ctx, "ConcatenationOptions") == ACTIVATION_NONE,
        "a fused activation is not supported",
    )
    ctx.ensure_type(input, _FLOAT32, _UINT8, _INT8, _INT32, _INT64)
    ensure_same_type(ctx, input, output)
    inputs = len(ctx.op.inputs)
    ctx.ensure(
        inputs <= _MAX_CONCATENATION_INPUTS,
        f"it has {inputs} inputs; TFLM takes {_MAX_CONCATENATION_INPUTS} at most",
    )
    for position in range(inputs):
        ensure_rank(ctx, ctx.need_input(position), 0, _MAX_RANK)


def _evaluate_concatenation(ctx: NodeContext) -> None:
    limit_rank(ctx, MAX_RANK, ctx.need_output(0))


def _evaluate_pack(ctx: NodeContext) -> None:
    ctx.ensure_type(ctx.need_output(0), _FLOAT32, _UINT8, _INT8, _INT32, _INT64)


def _evaluate_unpack(ctx: NodeContext) -> None:
    ctx.ensure_type(ctx.need_input(0), _FLOAT32, _INT32, _UINT8, _INT8)


def _evaluate_split(ctx: NodeContext) -> None:
    axis, input = ctx.need_input(0), ctx.need_input(1)
    ensure_constant(ctx, axis, "axis")
    (value,) = constant_int32(ctx, axis, 1)
    rank = len(ctx.shape(input))
    ctx.ensure(-rank <= value < rank, f"axis {value} is not one of {rank}")
    ctx.ensure_type(input, _FLOAT32, _UINT8, _INT8, _INT16, _INT32)


def _prepare_pad(ctx: NodeContext) -> None:
    need_counts(ctx, (2, 3), 1)
    input, paddings, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    value = ctx.input(2)
    ensure_same_type(ctx, input, output)
    if value is not None:
        ensure_same_type(ctx, input, value)
    in_shape, out_shape = ctx.shape(input), ctx.shape(output)
    ctx.ensure(
        ctx.element_count(paddings) == 2 * len(out_shape),
        f"the paddings {list(ctx.shape(paddings))} are not two for each output dimension",
    )
    ctx.ensure(
        len(out_shape) <= len(in_shape),
        f"the output has {len(out_shape)} dimensions, the input {len(in_shape)}",
    )
    ensure_constant(ctx, paddings, "paddings")
    amounts = constant_int32(ctx, paddings, 2 * len(out_shape))
    for axis, dim in enumerate(out_shape):
        padded = in_shape[axis] + amounts[2 * axis] + amounts[2 * axis + 1]
        ctx.ensure(
            dim == padded, f"dimension {axis} of the output is {dim}, the padded input has {padded}"
        )
    ensure_rank(ctx, input, 0, _MAX_RANK)


def _evaluate_pad(ctx: NodeContext) -> None:
    input, output, value = ctx.need_input(0), ctx.need_output(0), ctx.input(2)
    if value is not None:
        ctx.ensure(ctx.element_count(value) == 1, "the padding value must be a scalar")
    ctx.ensure_type(input, _FLOAT32, _UINT8, _INT8, _INT32)
    if input.type in _ZERO_POINTS:
        _check_padding_value(ctx, value, output)


def _check_padding_value(ctx: NodeContext, value: Tensor | None, output: Tensor) -> None:
    point = zero_point(output)
    if value is None:
        ctx.ensure(
            point in _ZERO_POINTS[output.type],
            f"the output's zero point {point} does not fit {output.type.name}",
        )
        return
    ctx.ensure(
        point == zero_point(value) and scale(output) == scale(value),
        "padding value and output differ in scale or zero point",
    )


def _prepare_reshape(ctx: NodeContext) -> None:
    check_option_dims(ctx, "ReshapeOptions", "new_shape")
    need_counts(ctx, (1, 2), 1)
    input, output = ctx.need_input(0), ctx.need_output(0)
    elements = ctx.element_count(output)
    if len(ctx.op.inputs) == 1 and ctx.shape(output) == (0,):
        # A legacy scalar: its size in bytes stays 0.
        elements = 1
        ctx.set_shape(output, ())
        ctx.note("its output shape [0] is rewritten in the model, which must lie in RAM")
    ensure_same_type(ctx, input, output)
    ctx.ensure(
        ctx.element_count(input) == elements,
        f"the input has {ctx.element_count(input)} elements, the output {elements}",
    )


def _evaluate_reshape(ctx: NodeContext) -> None:
    """Copies bytes of any type."""


class _SliceAxis(SliceAxis):
    """An axis whose start is kept within the input whatever the stride."""

    __slots__ = ()

    @property
    def start(self) -> int:
        return min(max(super().start, 0), max(0, self.size - 1))


def _prepare_strided_slice(ctx: NodeContext) -> None:
    check_strided_slice(ctx, _SliceAxis)


def _evaluate_strided_slice(ctx: NodeContext) -> None:
    ctx.ensure_type(ctx.need_input(0), _FLOAT32, _UINT8, _INT8)


def _evaluate_resize(ctx: NodeContext) -> None:
    input, size, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ctx.ensure_type(output, _FLOAT32, _UINT8, _INT8)
    limit_rank(ctx, BROADCAST_RANK, input, output)
    limit_rank(ctx, MAX_RANK, size)
    if int_option(ctx, "ResizeNearestNeighborOptions", "half_pixel_centers"):
        ctx.note("this TFLM ignores half_pixel_centers: results can be wrong")


def _reshape_loops(ctx: NodeContext) -> Loops | None:
    """Bytes are copied one by one."""
    output = ctx.output(0)
    if output is None:
        return None
    made = Loops()
    made.add("reshape_bytes", call=1, byte=ctx.runtime_bytes(output))
    return made


def _concatenation_loops(ctx: NodeContext) -> Loops | None:
    """As today, but each shape is copied whole, whatever its rank."""
    made = movement.concatenation(ctx)
    if made is not None:
        made.terms.pop("concatenation.dim", None)
        copies = made.terms.get("concatenation.copy", 0)
        made.add("concatenation", line=copies // len(ctx.op.inputs))
    return made


def _strided_slice_loops(ctx: NodeContext) -> Loops | None:
    """Element by element in five nested loops."""
    output = ctx.output(0)
    if output is None:
        return None
    shape, name = ctx.shape(output), kernel_name(ctx)
    made = Loops()
    made.add(name, call=1, element=prod(shape), row=prod(shape[:-1]), plane=prod(shape[:-2]))
    return made


register(
    "CONCATENATION",
    loops=_concatenation_loops,
    params="TfLiteConcatenationParams",
    prepare=_prepare_concatenation,
    evaluate=_evaluate_concatenation,
    highest_version=3,
)
register("PACK", params="TfLitePackParams", evaluate=_evaluate_pack, highest_version=2)
register("UNPACK", params="TfLiteUnpackParams", evaluate=_evaluate_unpack, highest_version=2)
register("SPLIT", params="TfLiteSplitParams", evaluate=_evaluate_split, highest_version=3)
register("PAD", "PADV2", prepare=_prepare_pad, evaluate=_evaluate_pad, highest_version=2)
register(
    "RESHAPE",
    loops=_reshape_loops,
    params="TfLiteReshapeParams",
    prepare=_prepare_reshape,
    evaluate=_evaluate_reshape,
)
register(
    "STRIDED_SLICE",
    loops=_strided_slice_loops,
    params="TfLiteStridedSliceParams",
    prepare=_prepare_strided_slice,
    evaluate=_evaluate_strided_slice,
)
register(
    "RESIZE_NEAREST_NEIGHBOR",
    params="TfLiteResizeNearestNeighborParams",
    evaluate=_evaluate_resize,
    highest_version=2,
)
