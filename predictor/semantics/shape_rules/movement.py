"""Operators that move elements: joining, cutting, turning and reshaping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from predictor.semantics.shape_rules.call import Call, Rule, Shape, axis_of, need


def _concatenation(call: Call) -> Sequence[Shape]:
    shapes = [call.shape(position) for position in range(len(call.inputs))]
    first = shapes[0]
    axis = axis_of(call.option("axis"), len(first))
    need(all(_around(shape, axis) == _around(first, axis) for shape in shapes))
    return [(*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])]


def _around(shape: Shape, axis: int) -> tuple[Shape, Shape]:
    return shape[:axis], shape[axis + 1 :]


def _pack(call: Call) -> Sequence[Shape]:
    shape = call.shape()
    axis = axis_of(call.option("axis"), len(shape) + 1)
    return [(*shape[:axis], len(call.inputs), *shape[axis:])]


def _unpack(call: Call) -> Sequence[Shape]:
    shape = call.shape()
    axis = axis_of(call.option("axis"), len(shape))
    return [shape[:axis] + shape[axis + 1 :]] * len(call.op.outputs)


def _split(call: Call) -> Sequence[Shape]:
    shape, count = call.shape(1), len(call.op.outputs)
    need(len(call.values(0)) == 1 and count > 0)
    axis = axis_of(call.values(0)[0], len(shape))
    need(shape[axis] % count == 0)
    return [(*shape[:axis], shape[axis] // count, *shape[axis + 1 :])] * count


def _split_v(call: Call) -> Sequence[Shape]:
    shape, sizes = call.shape(), call.values(1)
    need(len(call.values(2)) == 1 and len(sizes) == len(call.op.outputs))
    axis = axis_of(call.values(2)[0], len(shape))
    rest = shape[axis] - sum(size for size in sizes if size != -1)
    need(sizes.count(-1) <= 1)
    return [(*shape[:axis], rest if size == -1 else size, *shape[axis + 1 :]) for size in sizes]


def _slice(call: Call) -> Sequence[Shape]:
    shape, begin, sizes = call.shape(), call.values(1), call.values(2)
    need(len(shape) == len(begin) == len(sizes))
    cuts = zip(shape, begin, sizes, strict=True)
    return [tuple(whole - first if size == -1 else size for whole, first, size in cuts)]


def _strided_slice(call: Call) -> Sequence[Shape]:
    shape, *cuts = call.shape(), call.values(1), call.values(2), call.values(3)
    begin, end, strides = cuts
    need(len(shape) >= len(begin) == len(end) == len(strides) and 0 not in strides)
    need(not any(map(call.option, ("ellipsis_mask", "new_axis_mask", "offset"))))
    masks = [call.option(f"{name}_mask") for name in ("begin", "end", "shrink_axis")]
    found = []
    for axis, size in enumerate(shape[: len(begin)]):
        from_first, to_last, shrinks = (mask >> axis & 1 for mask in masks)
        if shrinks:
            continue
        first = None if from_first else begin[axis]
        last = None if to_last else end[axis]
        found.append(len(range(*slice(first, last, strides[axis]).indices(size))))
    return [(*found, *shape[len(begin) :])]


def _gather(call: Call) -> Sequence[Shape]:
    shape, positions = call.shape(), call.shape(1)
    axis = axis_of(call.option("axis"), len(shape))
    batch = call.option("batch_dims")
    batch = batch + len(positions) if batch < 0 else batch
    need(0 <= batch <= min(axis, len(positions)))
    return [shape[:axis] + positions[batch:] + shape[axis + 1 :]]


def _gather_nd(call: Call) -> Sequence[Shape]:
    shape, positions = call.shape(), call.shape(1)
    need(len(positions) > 0 and positions[-1] <= len(shape))
    return [positions[:-1] + shape[positions[-1] :]]


def _embedding_lookup(call: Call) -> Sequence[Shape]:
    (count,) = call.shape()[:1] or (0,)
    return [(count, *call.shape(1)[1:])]


def _transpose(call: Call) -> Sequence[Shape]:
    shape, order = call.shape(), call.values(1)
    need(len(order) == len(shape))
    return [tuple(shape[axis_of(axis, len(shape))] for axis in order)]


def _pad(call: Call) -> Sequence[Shape]:
    shape, edges = call.shape(), call.values(1)
    need(len(edges) == 2 * len(shape))
    return [tuple(size + edges[2 * axis] + edges[2 * axis + 1] for axis, size in enumerate(shape))]


def _reshape(call: Call) -> Sequence[Shape]:
    told: Shape = call.values(1) if call.has(1) else (call.op.options.get("new_shape") or ())
    need(told.count(-1) <= 1 and all(size > 0 or size == -1 for size in told))
    elements, others = prod(call.shape()), prod(size for size in told if size > 0)
    need(elements % others == 0 and (-1 in told or elements == others))
    return [tuple(elements // others if size == -1 else size for size in told)]


def _squeeze(call: Call) -> Sequence[Shape]:
    shape = call.shape()
    told: Shape = call.op.options.get("squeeze_dims") or ()
    gone = {axis_of(axis, len(shape)) for axis in told}
    if not told:
        gone = {axis for axis, size in enumerate(shape) if size == 1}
    need(all(shape[axis] == 1 for axis in gone))
    return [tuple(size for axis, size in enumerate(shape) if axis not in gone)]


def _expand_dims(call: Call) -> Sequence[Shape]:
    shape, told = call.shape(), call.values(1)
    need(len(told) == 1)
    axis = axis_of(told[0], len(shape) + 1)
    return [(*shape[:axis], 1, *shape[axis:])]


def _shape(call: Call) -> Sequence[Shape]:
    return [(len(call.shape()),)]


def _fill(call: Call) -> Sequence[Shape]:
    return [call.values(0)]


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("MIRROR_PAD", "PAD", "PADV2"), _pad),
    "CONCATENATION": _concatenation,
    "EMBEDDING_LOOKUP": _embedding_lookup,
    "EXPAND_DIMS": _expand_dims,
    "FILL": _fill,
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
    "PACK": _pack,
    "RESHAPE": _reshape,
    "SHAPE": _shape,
    "SLICE": _slice,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "TRANSPOSE": _transpose,
    "UNPACK": _unpack,
}
