"""CONCATENATION, PACK, UNPACK, REVERSE_V2, BROADCAST_TO, BROADCAST_ARGS. Mirrors
kernels/concatenation.cc, pack.cc, unpack.cc, reverse.cc, broadcast_to.cc and
broadcast_args.cc."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from predictor.model.graph import Tensor, TensorType
from predictor.operators.access_order import InputOverlap
from predictor.operators.checks import (
    constant_int32,
    constant_ints,
    ensure_constant,
    ensure_rank,
    ensure_same_type,
    need_counts,
)
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates, runs_on, unchecked_tensors
from predictor.operators.loops import elements, movement
from predictor.operators.parsing import ACTIVATION_NONE, fused_activation, options_of
from predictor.operators.quantized import ensure_symmetric, scale, zero_point
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs
from predictor.operators.sizes import RUNTIME_TYPE_BYTES

_MAX_CONCATENATED = 10
_MAX_RANK = 6
_MAX_BROADCAST_RANK = 5
_BOOL, _FLOAT32 = TensorType.BOOL, TensorType.FLOAT32
_INT8, _INT16 = TensorType.INT8, TensorType.INT16
_INT32, _INT64 = TensorType.INT32, TensorType.INT64


def _prepare_concatenation(ctx: NodeContext) -> None:
    first, output = ctx.need_input(0), ctx.need_output(0)
    ctx.ensure(
        fused_activation(ctx, "ConcatenationOptions") == ACTIVATION_NONE,
        "it must not have a fused activation",
    )
    ctx.ensure_type(first, _FLOAT32, _INT8, _INT16, _INT32, _INT64, _BOOL)
    ensure_same_type(ctx, first, output)
    count = len(ctx.op.inputs)
    ctx.ensure(count <= _MAX_CONCATENATED, f"it has {count} inputs, TFLM takes {_MAX_CONCATENATED}")
    for position in range(count):
        input = ctx.need_input(position)
        ensure_same_type(ctx, input, first)
        ensure_rank(ctx, input, 0, _MAX_RANK)
        _check_concatenated_quantization(ctx, input, output)
    if first.type == _INT16:
        ensure_symmetric(ctx, output)


def _check_concatenated_quantization(ctx: NodeContext, input: Tensor, output: Tensor) -> None:
    if input.type == _INT8:
        ctx.ensure(
            scale(input) == scale(output) and zero_point(input) == zero_point(output),
            f"int8 input {input.name!r} and the output differ in scale or zero point",
        )
    elif input.type == _INT16:
        ensure_symmetric(ctx, input)


def _prepare_pack(ctx: NodeContext) -> None:
    # TFLM registers no Prepare for PACK and UNPACK: all that can fail is the run.
    tensors = unchecked_tensors(ctx, 1)
    if tensors is not None:
        runs_on(ctx, tensors[1], _FLOAT32, _INT8, _INT16, _INT32, _INT64)


def _prepare_unpack(ctx: NodeContext) -> None:
    tensors = unchecked_tensors(ctx, 1)
    if tensors is not None:
        runs_on(ctx, tensors[0], _FLOAT32, _INT32, _INT16, _INT8)


def _prepare_reverse(ctx: NodeContext) -> None:
    """Mirrors ``ReverseV2Prepare``."""
    need_counts(ctx, 2, 1)
    input, axis, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ensure_rank(ctx, axis, 1)
    ensure_rank(ctx, input, 0, _MAX_RANK)
    rank, axes = len(ctx.shape(input)), ctx.element_count(axis)
    ctx.ensure(axes <= rank, f"it has {axes} axes for an input of {rank} dimensions")
    ctx.ensure_type(input, _INT32, _FLOAT32, TensorType.UINT8, _INT8, _INT16, _INT64, _BOOL)
    ctx.ensure_type(axis, _INT32)
    ensure_same_type(ctx, input, output)
    if axis.is_constant:
        reversed_axes = sorted(
            value + rank if value < 0 else value for value in constant_int32(ctx, axis, axes)
        )
        if any(not 0 <= value < rank for value in reversed_axes):
            ctx.fails_at_invoke("one of its axes is out of range")
        elif any(b != a + 1 for a, b in pairwise(reversed_axes)):
            ctx.fails_at_invoke("its axes are not contiguous")


def _prepare_broadcast_to(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    input, shape, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ensure_rank(ctx, input, 0, _MAX_BROADCAST_RANK)
    ctx.ensure_type(shape, _INT32, _INT64)
    ensure_same_type(ctx, input, output)
    ensure_constant(ctx, shape, "shape")
    ensure_rank(ctx, shape, 1)
    in_shape, out_shape = ctx.shape(input), ctx.shape(output)
    rank = len(out_shape)
    ctx.ensure(
        ctx.shape(shape) == (rank,),
        f"its shape has {ctx.shape(shape)[0]} values for an output of {rank} dimensions",
    )
    ensure_rank(ctx, output, len(in_shape), _MAX_BROADCAST_RANK)
    wanted = constant_ints(ctx, shape, rank)
    ctx.ensure(
        all(
            dim in (1, target)
            for dim, target in zip(in_shape, wanted[rank - len(in_shape) :], strict=True)
        ),
        f"{list(in_shape)} cannot be broadcast to {list(wanted)}",
    )
    ctx.ensure(
        out_shape == wanted, f"the output is {list(out_shape)} but its shape is {list(wanted)}"
    )


def _prepare_broadcast_args(ctx: NodeContext) -> None:
    need_counts(ctx, 2, 1)
    shape1, shape2, output = ctx.need_input(0), ctx.need_input(1), ctx.need_output(0)
    ctx.ensure_type(shape1, _INT32, _INT64)
    ensure_same_type(ctx, shape1, shape2)
    ensure_same_type(ctx, shape1, output)
    for tensor in (shape1, shape2, output):
        ensure_rank(ctx, tensor, 1)


def _overlap_concatenation(ctx: NodeContext) -> Sequence[InputOverlap]:
    """Slices of all inputs are copied in turn; the two ranges of a copy never meet.

    Mirrors reference/concatenation.h, whose ``memcpy`` must not overlap.
    """
    output = ctx.output(0)
    axis = int(options_of(ctx, "ConcatenationOptions").get("axis", 0))
    if output is None:
        return ()
    shape = ctx.shape(output)
    axis += len(shape) if axis < 0 else 0
    if not 0 <= axis < len(shape):
        return ()
    outer, total = prod(shape[:axis]), prod(shape[axis:])
    found, before = [], 0
    for position in range(len(ctx.op.inputs)):
        input = ctx.input(position)
        if input is None or len(ctx.shape(input)) != len(shape):
            return ()
        copied = prod(ctx.shape(input)[axis:])
        ahead = (outer - 1) * (total - copied) + before + copied
        before += copied
        distance = max(0, ahead) * RUNTIME_TYPE_BYTES[input.type]
        found.append(InputOverlap(position, distance, "slices of all inputs are copied in turn"))
    return found


register(
    "CONCATENATION",
    params="TfLiteConcatenationParams",
    init=allocates("OpDataConcatenation"),
    prepare=_prepare_concatenation,
    count=count_outputs,
    overlap=_overlap_concatenation,
    loops=movement.concatenation,
)
register(
    "PACK",
    params="TfLitePackParams",
    prepare=_prepare_pack,
    count=count_outputs,
    loops=movement.pack,
)
register(
    "UNPACK",
    params="TfLiteUnpackParams",
    prepare=_prepare_unpack,
    count=count_outputs,
    loops=movement.pack,
)
register("REVERSE_V2", prepare=_prepare_reverse, count=count_outputs, loops=elements.loops)
register("BROADCAST_TO", prepare=_prepare_broadcast_to, count=count_outputs, loops=elements.loops)
register(
    "BROADCAST_ARGS", prepare=_prepare_broadcast_args, count=count_outputs, loops=elements.loops
)
