"""RESHAPE, SQUEEZE, EXPAND_DIMS, SHAPE. Mirrors kernels/reshape_common.cc, squeeze.cc,
expand_dims.cc and shape.cc."""

from __future__ import annotations

from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import (
    check_runtime_shape,
    constant_int32,
    divide,
    ensure_constant,
    ensure_rank,
    ensure_same_type,
    need_counts,
    need_one_of_each,
    writable_dims,
)
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import runs_on
from predictor.operators.loops import elements, movement
from predictor.operators.overlap_rules import elementwise, in_place_copy
from predictor.operators.parsing import check_element_types, options_of
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs

_MAX_OPTION_DIMS = 8
_MAX_SQUEEZE_RANK = 8


def check_option_dims(ctx: NodeContext, table: str, name: str) -> tuple[int, ...]:
    """Mirrors ``FlatBufferIntVectorToArray`` of the parser."""
    dims: tuple[int, ...] = options_of(ctx, table).get(name) or ()
    ctx.ensure(
        len(dims) <= _MAX_OPTION_DIMS,
        f"its options hold {len(dims)} dimensions, TFLM takes {_MAX_OPTION_DIMS}",
    )
    return dims


def _prepare_reshape(ctx: NodeContext) -> None:
    """Mirrors ``PrepareReshapeReference``."""
    check_option_dims(ctx, "ReshapeOptions", "new_shape")
    need_counts(ctx, (1, 2), 1)
    input, output = ctx.need_input(0), ctx.need_output(0)
    in_elements, shape = ctx.element_count(input), ctx.shape(output)
    if len(ctx.op.inputs) == 1 and shape == (0,):
        # TFLM turns such a legacy scalar into rank 0 in place, in the model itself.
        shape = ()
        ctx.set_shape(output, shape)
        ctx.note("its output shape [0] is rewritten in the model, which must lie in RAM")
    ctx.ensure(shape.count(-1) <= 1, "only one dimension of the output may be -1")
    if -1 in shape:
        shape = _stretch(ctx, output, in_elements)
    ensure_same_type(ctx, input, output)
    out_elements = 1
    for dim in shape:
        out_elements *= dim
    ctx.ensure(
        in_elements == out_elements,
        f"the input has {in_elements} elements, the output {out_elements}",
    )


def _stretch(ctx: NodeContext, output: Tensor, in_elements: int) -> tuple[int, ...]:
    """Replaces the one dimension of -1 by what is left of the input's elements."""
    shape = ctx.shape(output)
    others = 1
    for dim in shape:
        others *= 1 if dim == -1 else dim
    writable_dims(ctx, output, len(shape))
    stretched = divide(in_elements, others)
    shape = tuple(stretched if dim == -1 else dim for dim in shape)
    ctx.set_shape(output, shape)
    return shape


def _prepare_squeeze(ctx: NodeContext) -> None:
    dims = check_option_dims(ctx, "SqueezeOptions", "squeeze_dims")
    input, output = need_one_of_each(ctx)
    in_shape, out_shape = ctx.shape(input), ctx.shape(output)
    rank = len(in_shape)
    ensure_rank(ctx, input, 0, _MAX_SQUEEZE_RANK)
    squeezed: set[int] = set()
    if not dims:
        squeezed = {axis for axis, dim in enumerate(in_shape) if dim == 1}
    for dim in dims:
        axis = dim + rank if dim < 0 else dim
        ctx.ensure(
            0 <= axis < rank and in_shape[axis] == 1,
            f"dimension {dim} of the input cannot be squeezed: it is absent or not 1",
        )
        squeezed.add(axis)
    kept = [dim for axis, dim in enumerate(in_shape) if axis not in squeezed]
    ctx.ensure(
        all(out >= dim for dim, out in zip(kept, out_shape, strict=False)),
        f"TFLM aborts: the output {list(out_shape)} is too small for {kept}",
    )
    if len(kept) > len(out_shape):
        ctx.inexact(
            f"TFLM compares {kept} with the output's {len(out_shape)} dimensions and what follows "
            "them in the file, and aborts if that is smaller"
        )
    if ctx.runtime_bytes(input) != ctx.runtime_bytes(output):
        ctx.fails_at_invoke("input and output differ in size")


def _prepare_expand_dims(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    input, axis, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ensure_constant(ctx, axis, "axis")
    ensure_rank(ctx, axis, 0, 1)
    ctx.ensure_type(axis, TensorType.INT32)
    (value,) = constant_int32(ctx, axis, 1)
    check_runtime_shape(ctx, input, output)
    in_shape, out_shape = ctx.shape(input), ctx.shape(output)
    position = value + len(in_shape) + 1 if value < 0 else value
    expected = (*in_shape[:position], 1, *in_shape[position:])
    ctx.ensure(
        0 <= position <= len(in_shape) and out_shape == expected,
        f"the output shape is {list(out_shape)}, which is not {list(in_shape)} with a 1 "
        f"inserted at {value}",
    )
    runs_on(ctx, input, TensorType.FLOAT32, TensorType.INT16, TensorType.INT8)


def _prepare_shape(ctx: NodeContext) -> None:
    check_element_types(ctx, "ShapeOptions", "out_type")
    need_counts(ctx, 1, 1)
    output = ctx.need_output(0, temp=False)
    runs_on(ctx, output, TensorType.INT32)


register(
    "RESHAPE",
    params="TfLiteReshapeParams",
    prepare=_prepare_reshape,
    count=count_outputs,
    overlap=in_place_copy,
    loops=movement.reshape,
)
register(
    "SQUEEZE",
    params="TfLiteSqueezeParams",
    prepare=_prepare_squeeze,
    count=count_outputs,
    loops=movement.reshape,
)
register(
    "EXPAND_DIMS",
    prepare=_prepare_expand_dims,
    count=count_outputs,
    overlap=elementwise(0),
    loops=movement.reshape,
)
register(
    "SHAPE",
    params="TfLiteShapeParams",
    prepare=_prepare_shape,
    count=count_outputs,
    loops=elements.loops,
)
