"""Small values that are known before a model runs: loop counters, conditions, shapes.

Follows LiteRT's definitions of the operators on integers, booleans and single floats without
quantisation. Whatever is not certain is unknown (None), never guessed.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from predictor.model.graph import Operator, Subgraph, Tensor, TensorType

MOST_ITEMS = 64
"""Elements up to which a tensor's values are followed."""
Number = int | float


class Value(NamedTuple):
    """The elements of a tensor, the last dimension running fastest."""

    type: TensorType
    shape: tuple[int, ...]
    items: tuple[Number, ...]


_FORMATS = {
    TensorType.BOOL: "?",
    TensorType.INT8: "b",
    TensorType.INT16: "h",
    TensorType.INT32: "i",
    TensorType.INT64: "q",
    TensorType.UINT8: "B",
    TensorType.FLOAT32: "f",
}
_BITS = {"b": 8, "h": 16, "i": 32, "q": 64}


def constant(tensor: Tensor) -> Value | None:
    """The value of a small constant tensor, None where it is none."""
    form = _FORMATS.get(tensor.type)
    count = math.prod(tensor.shape)
    if tensor.data is None or form is None or not 0 < count <= MOST_ITEMS:
        return None
    layout = struct.Struct(f"<{count}{form}")
    if tensor.data.nbytes < layout.size:
        return None
    return Value(tensor.type, tensor.shape, layout.unpack_from(tensor.data))


def can_evaluate(op: Operator, subgraph: Subgraph) -> bool:
    """Whether the outputs of an operator may become known."""
    if op.is_custom or op.name not in _EVALUATORS or len(op.outputs) != 1:
        return False
    output = subgraph.tensors[op.outputs[0]]
    tensors = [subgraph.tensors[index] for index in op.inputs if index >= 0]
    is_plain = all(
        tensor.quantization is None and tensor.type in _FORMATS for tensor in (*tensors, output)
    )
    return is_plain and math.prod(output.shape) <= MOST_ITEMS


def evaluate(op: Operator, inputs: Sequence[Value | None], output: Tensor) -> Value | None:
    """The value that an operator gives, None where it does not follow from those of its inputs.

    Args:
        output: its output, whose type and shape the value takes.
    """
    known = [value for value in inputs if value is not None]
    if len(known) != len(inputs) or not known:
        return None
    try:
        found = _EVALUATORS[op.name](op, known)
        form = _FORMATS[output.type]
        items = found if isinstance(found, tuple) else tuple(found)
        if len(items) != math.prod(output.shape):
            return None
        return Value(output.type, output.shape, tuple(_stored(item, form) for item in items))
    except (ArithmeticError, IndexError, ValueError, TypeError, struct.error):
        return None


def _stored(item: Number, form: str) -> Number:
    """A number as a tensor of a type holds it: wrapped, or rounded to single precision."""
    if form == "?":
        return bool(item)
    if form == "f":
        rounded: float = struct.unpack("<f", struct.pack("<f", item))[0]
        return rounded
    whole = int(item)
    if form == "B":
        return whole & 0xFF
    half = 1 << _BITS[form] - 1
    return (whole + half & 2 * half - 1) - half


Evaluator = Callable[[Operator, Sequence[Value]], Sequence[Number]]


def _pairwise(function: Callable[[Any, Any], Number]) -> Evaluator:
    """Element by element, one of the operands being a single element at most."""

    def run(op: Operator, inputs: Sequence[Value]) -> Sequence[Number]:
        first, second = inputs[0].items, inputs[1].items
        count = max(len(first), len(second))
        first = first * count if len(first) == 1 else first
        second = second * count if len(second) == 1 else second
        if inputs[0].shape != inputs[1].shape and 1 not in map(
            len, (inputs[0].items, inputs[1].items)
        ):
            raise ValueError("broadcasting")
        return [
            _activated(op, function(left, right)) for left, right in zip(first, second, strict=True)
        ]

    return run


def _activated(op: Operator, number: Number) -> Number:
    """The fused activation: none, relu, relu_n1_to_1, relu6."""
    activation = op.options.get("fused_activation_function", 0)
    if activation == 1:
        return max(number, 0)
    if activation == 2:
        return min(max(number, -1), 1)
    if activation == 3:
        return min(max(number, 0), 6)
    if activation:
        raise ValueError("activation")
    return number


def _single(function: Callable[[Any], Number]) -> Evaluator:
    return lambda op, inputs: [function(item) for item in inputs[0].items]


def _same(op: Operator, inputs: Sequence[Value]) -> Sequence[Number]:
    return inputs[0].items


def _joined(op: Operator, inputs: Sequence[Value]) -> Sequence[Number]:
    """PACK of scalars, and CONCATENATION of vectors."""
    if any(len(value.shape) > 1 for value in inputs):
        raise ValueError("rank")
    return [item for value in inputs for item in value.items]


def _division(left: Number, right: Number) -> Number:
    if isinstance(left, float) or isinstance(right, float):
        return left / right
    whole = abs(left) // abs(right)
    return whole if (left < 0) == (right < 0) else -whole


def _selected(op: Operator, inputs: Sequence[Value]) -> Sequence[Number]:
    condition, yes, no = inputs
    if len(condition.items) != 1:
        raise ValueError("condition")
    return (yes if condition.items[0] else no).items


def _strided(op: Operator, inputs: Sequence[Value]) -> Sequence[Number]:
    """STRIDED_SLICE of a vector."""
    values, begin, end, step = inputs
    masks = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    from_first, to_last, ellipsis, new_axis, shrink = (int(op.options.get(m, 0)) for m in masks)
    if len(values.shape) != 1 or len(begin.items) != 1 or ellipsis or new_axis:
        raise ValueError("rank")
    (first,), (last,), (stride,) = begin.items, end.items, step.items
    if shrink & 1:
        return [values.items[int(first)]]
    chosen = slice(
        None if from_first & 1 else int(first), None if to_last & 1 else int(last), int(stride)
    )
    return values.items[chosen]


def _sliced(op: Operator, inputs: Sequence[Value]) -> Sequence[Number]:
    """SLICE of a vector."""
    values, begin, size = inputs
    if len(values.shape) != 1:
        raise ValueError("rank")
    first, count = int(begin.items[0]), int(size.items[0])
    return values.items[first:] if count == -1 else values.items[first : first + count]


def _gathered(op: Operator, inputs: Sequence[Value]) -> Sequence[Number]:
    """GATHER from a vector."""
    values, positions = inputs
    if len(values.shape) != 1 or any(position < 0 for position in positions.items):
        raise ValueError("rank")
    return [values.items[int(position)] for position in positions.items]


def _reduced(function: Callable[[Sequence[Number]], Number]) -> Evaluator:
    """A reduction of a vector, or of all dimensions."""

    def run(op: Operator, inputs: Sequence[Value]) -> Sequence[Number]:
        values, axes = inputs
        if len({int(axis) % max(1, len(values.shape)) for axis in axes.items}) != len(values.shape):
            raise ValueError("axes")
        return [function(values.items)]

    return run


def _ranged(op: Operator, inputs: Sequence[Value]) -> Sequence[Number]:
    (start,), (limit,), (delta,) = (value.items for value in inputs)
    if any(isinstance(item, float) for item in (start, limit, delta)):
        raise ValueError("floats")
    if abs(limit - start) > MOST_ITEMS * abs(delta):
        raise ValueError("long")
    return range(int(start), int(limit), int(delta))


def _filled(op: Operator, inputs: Sequence[Value]) -> Sequence[Number]:
    sizes, value = inputs
    count = math.prod(int(size) for size in sizes.items)
    if not 0 <= count <= MOST_ITEMS:
        raise ValueError("long")
    return value.items * count


_EVALUATORS: Mapping[str, Evaluator] = {
    "ADD": _pairwise(lambda left, right: left + right),
    "SUB": _pairwise(lambda left, right: left - right),
    "MUL": _pairwise(lambda left, right: left * right),
    "DIV": _pairwise(_division),
    "FLOOR_DIV": _pairwise(lambda left, right: left // right),
    "FLOOR_MOD": _pairwise(lambda left, right: left % right),
    "MAXIMUM": _pairwise(max),
    "MINIMUM": _pairwise(min),
    "EQUAL": _pairwise(lambda left, right: left == right),
    "NOT_EQUAL": _pairwise(lambda left, right: left != right),
    "LESS": _pairwise(lambda left, right: left < right),
    "LESS_EQUAL": _pairwise(lambda left, right: left <= right),
    "GREATER": _pairwise(lambda left, right: left > right),
    "GREATER_EQUAL": _pairwise(lambda left, right: left >= right),
    "LOGICAL_AND": _pairwise(lambda left, right: left and right),
    "LOGICAL_OR": _pairwise(lambda left, right: left or right),
    "LOGICAL_NOT": _single(lambda item: not item),
    "NEG": _single(lambda item: -item),
    "ABS": _single(abs),
    "SQUARE": _single(lambda item: item * item),
    "CAST": _same,
    "RESHAPE": _same,
    "SQUEEZE": _same,
    "EXPAND_DIMS": _same,
    "PACK": _joined,
    "CONCATENATION": _joined,
    "SELECT_V2": _selected,
    "SELECT": _selected,
    "STRIDED_SLICE": _strided,
    "SLICE": _sliced,
    "GATHER": _gathered,
    "RANGE": _ranged,
    "FILL": _filled,
    "ZEROS_LIKE": _single(lambda item: 0),
    "SUM": _reduced(sum),
    "REDUCE_PROD": _reduced(math.prod),
    "REDUCE_MAX": _reduced(max),
    "REDUCE_MIN": _reduced(min),
    "REDUCE_ALL": _reduced(all),
    "REDUCE_ANY": _reduced(any),
}
