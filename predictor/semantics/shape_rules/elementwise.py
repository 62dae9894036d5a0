"""Operators that work element by element, some of them with broadcasting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from predictor.semantics.shape_rules.call import Call, Rule, Shape, need


def broadcast(first: Shape, second: Shape) -> Shape:
    """The shape of two operands together, aligned at their last dimensions.

    Raises:
        UnknownShapeError: they do not fit.
    """
    rank = max(len(first), len(second))
    pairs = zip(_padded(first, rank), _padded(second, rank), strict=True)
    found = []
    for one, other in pairs:
        need(one == other or 1 in (one, other))
        found.append(max(one, other))
    return tuple(found)


def _padded(shape: Shape, rank: int) -> Shape:
    return (1,) * (rank - len(shape)) + shape


def _like_input(call: Call) -> Sequence[Shape]:
    return [call.shape()]


def _like_second(call: Call) -> Sequence[Shape]:
    return [call.shape(1)]


def _broadcast(call: Call) -> Sequence[Shape]:
    return [reduce(broadcast, map(call.shape, range(len(call.inputs))))]


def _broadcast_args(call: Call) -> Sequence[Shape]:
    return [(max(call.shape(0)[0], call.shape(1)[0]),)]


def _as_told(call: Call) -> Sequence[Shape]:
    """BROADCAST_TO: the second input is the shape."""
    return [call.values(1)]


_LIKE_INPUT = (
    "ABS", "ADD_N", "CAST", "CEIL", "COS", "CUMSUM", "DEQUANTIZE", "DYNAMIC_UPDATE_SLICE", "ELU",
    "EXP", "FLOOR", "HARD_SWISH", "L2_NORMALIZATION", "LEAKY_RELU", "LOG", "LOGICAL_NOT",
    "LOGISTIC", "LOG_SOFTMAX", "NEG", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "REVERSE_V2",
    "ROUND", "RSQRT", "SIN", "SOFTMAX", "SQRT", "SQUARE", "TANH", "ZEROS_LIKE",
)  # fmt: skip
_BROADCAST = (
    "ADD", "DIV", "EQUAL", "FLOOR_DIV", "FLOOR_MOD", "GREATER", "GREATER_EQUAL", "LESS",
    "LESS_EQUAL", "LOGICAL_AND", "LOGICAL_OR", "MAXIMUM", "MINIMUM", "MUL", "NOT_EQUAL", "PRELU",
    "SELECT_V2", "SQUARED_DIFFERENCE", "SUB",
)  # fmt: skip
RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_LIKE_INPUT, _like_input),
    **dict.fromkeys(_BROADCAST, _broadcast),
    "BROADCAST_ARGS": _broadcast_args,
    "BROADCAST_TO": _as_told,
    "SELECT": _like_second,
}
