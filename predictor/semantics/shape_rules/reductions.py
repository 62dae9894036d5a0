"""Operators that take dimensions away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from predictor.semantics.shape_rules.call import Call, Rule, Shape, axis_of


def _without(shape: Shape, axes: Sequence[int], keeps: bool) -> Shape:
    gone = {axis_of(axis, len(shape)) for axis in axes}
    sizes = enumerate(shape)
    return tuple(1 if axis in gone else size for axis, size in sizes if keeps or axis not in gone)


def _reduced(call: Call) -> Sequence[Shape]:
    shape = call.shape()
    axes = call.values(1) if shape else ()
    return [_without(shape, axes, bool(call.option("keep_dims")))]


def _position(call: Call) -> Sequence[Shape]:
    return [_without(call.shape(), call.values(1), keeps=False)]


_REDUCED = ("MEAN", "REDUCE_ALL", "REDUCE_ANY", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM")
RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_REDUCED, _reduced),
    **dict.fromkeys(("ARG_MAX", "ARG_MIN"), _position),
}
