"""SLICE, STRIDED_SLICE, DYNAMIC_UPDATE_SLICE. Mirrors kernels/slice.cc,
strided_slice_common.cc with kernels/internal/strided_slice_logic.h, and
dynamic_update_slice.cc."""

from __future__ import annotations

import math
from typing import NamedTuple

from predictor.model.floating import single
from predictor.model.graph import Tensor, TensorType
from predictor.operators.checks import (
    INT32_MAX,
    constant_int32,
    ensure_constant,
    ensure_rank,
    ensure_same_type,
    int_option,
    need_counts,
)
from predictor.operators.context import NodeContext
from predictor.operators.evaluation import allocates, runs_on
from predictor.operators.loops import elements, movement
from predictor.operators.reference import register
from predictor.operators.registry import count_outputs

_MAX_STRIDED_RANK = 4
_BOOL, _FLOAT32 = TensorType.BOOL, TensorType.FLOAT32
_INT8, _INT16 = TensorType.INT8, TensorType.INT16
_INT32, _INT64 = TensorType.INT32, TensorType.INT64


def _prepare_slice(ctx: NodeContext) -> None:
    need_counts(ctx, 3, 1)
    input, begin = ctx.need_input(0), ctx.need_input(1)
    ctx.need_input(2)
    ctx.need_output(0)
    runs_on(ctx, begin, _INT32, _INT64)
    runs_on(ctx, input, _FLOAT32, _INT32, _INT8, _INT16, _BOOL)


class SliceAxis(NamedTuple):
    """One axis of a strided slice. Mirrors ``StartForAxis`` and ``StopForAxis``."""

    size: int
    begin: int
    end: int
    stride: int
    is_begin_masked: bool
    is_end_masked: bool
    is_shrunk: bool

    @property
    def start(self) -> int:
        return self._clamped(self.begin, self.is_begin_masked, is_stop=False)

    @property
    def length(self) -> int:
        """Elements of the output along this axis."""
        start = self.start
        if self.is_shrunk:
            stop = start + 1
        else:
            stop = self._clamped(self.end, self.is_end_masked, is_stop=True)
        # TFLM divides in single precision.
        length = math.ceil(single(single(stop - start) / single(self.stride)))
        return max(0, length)

    def _clamped(self, value: int, is_masked: bool, is_stop: bool) -> int:
        if self.size == 0:
            return 0
        if is_masked:
            is_high = is_stop == (self.stride > 0)
            value = INT32_MAX if is_high else -INT32_MAX - 1
        if value < 0:
            value += self.size
        if self.stride > 0:
            return min(max(value, 0), self.size)
        return min(max(value, -1), self.size - 1)


def check_strided_slice(
    ctx: NodeContext, axis_type: type[SliceAxis] = SliceAxis
) -> tuple[Tensor, Tensor]:
    """Mirrors ``StridedSlicePrepare``; returns input and output."""
    need_counts(ctx, 4, 1)
    input, begin, end, strides = (ctx.need_input(position) for position in range(4))
    output = ctx.need_output(0)
    ensure_rank(ctx, input, 0, _MAX_STRIDED_RANK)
    in_shape = ctx.shape(input)
    rank = len(in_shape)
    ensure_constant(ctx, begin, "begin")
    ensure_constant(ctx, end, "end")
    ensure_constant(ctx, strides, "strides")
    axes = [
        axis_type(*values)
        for values in zip(
            in_shape,
            constant_int32(ctx, begin, rank),
            constant_int32(ctx, end, rank),
            constant_int32(ctx, strides, rank),
            _mask_bits(ctx, "begin_mask", rank),
            _mask_bits(ctx, "end_mask", rank),
            _mask_bits(ctx, "shrink_axis_mask", rank),
            strict=True,
        )
    ]
    ctx.ensure(all(axis.stride != 0 for axis in axes), "a stride of 0")
    expected = tuple(axis.length for axis in axes if not axis.is_shrunk)
    out_shape = ctx.shape(output)
    ctx.ensure(
        out_shape == expected, f"the output is {list(out_shape)} instead of {list(expected)}"
    )
    return input, output


def _mask_bits(ctx: NodeContext, name: str, rank: int) -> list[bool]:
    mask = int_option(ctx, "StridedSliceOptions", name)
    return [bool(mask & 1 << axis) for axis in range(rank)]


def _prepare_strided_slice(ctx: NodeContext) -> None:
    _, output = check_strided_slice(ctx)
    runs_on(ctx, output, _FLOAT32, _INT8, _INT16, _INT32, _BOOL)


def _prepare_dynamic_update_slice(ctx: NodeContext) -> None:
    need_counts(ctx, 3, 1)
    operand, update, start = (ctx.need_input(position) for position in range(3))
    ctx.need_output(0)
    ensure_same_type(ctx, operand, update)
    ctx.ensure_type(start, _INT32, _INT64)
    shape, update_shape = ctx.shape(operand), ctx.shape(update)
    ctx.ensure(
        ctx.shape(start) == (len(shape),),
        f"the start indices are {list(ctx.shape(start))} for {len(shape)} dimensions",
    )
    ctx.ensure(
        len(update_shape) == len(shape)
        and all(part <= whole for part, whole in zip(update_shape, shape, strict=True)),
        f"the update {list(update_shape)} does not fit into {list(shape)}",
    )
    runs_on(ctx, operand, _FLOAT32, _INT8, _INT16, _INT32)


register("SLICE", prepare=_prepare_slice, count=count_outputs, loops=movement.cut)
register(
    "STRIDED_SLICE",
    params="TfLiteStridedSliceParams",
    init=allocates("StridedSliceParams"),
    prepare=_prepare_strided_slice,
    count=count_outputs,
    loops=movement.cut,
)
register(
    "DYNAMIC_UPDATE_SLICE",
    prepare=_prepare_dynamic_update_slice,
    count=count_outputs,
    loops=elements.loops,
)
