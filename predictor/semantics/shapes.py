"""Shapes that operators give, held against those that stand in the file.

TFLM takes the file's shapes. Where a converter has left a placeholder (a batch or a size of 1 for
one that is not known), it computes on a part of the data without a word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

from predictor.model.graph import Graph, Operator, Subgraph, Tensor, TensorType, once
from predictor.semantics.shape_rules import Call, Shape, UnknownShapeError, rule_of
from predictor.semantics.values import Value, can_evaluate, constant, evaluate

_MOST_DEPTH = 32
"""Operators behind each other that are followed for the value of a shape."""
_NONE = "no shape"
_ROWS_ALONE = frozenset(("FULLY_CONNECTED",))
"""Operators to which only the number of elements of their output matters."""


class Contradiction(NamedTuple):
    """An output whose shape in the file is not what its operator gives."""

    subgraph: int
    operator: int
    label: str
    tensor: str
    stored: Shape
    given: Shape


_MALFORMED = (ArithmeticError, LookupError, ValueError)
"""What a rule meets in shapes and options that no converter writes, beside what it asks for."""


@once
def contradictions(graph: Graph) -> tuple[Contradiction, ...]:
    """Contradictions in the order of the file; each operator is held against the shapes of its
    inputs in the file."""
    return tuple(_contradictions(graph))


def _contradictions(graph: Graph) -> Iterator[Contradiction]:
    alike = _Alike(graph)
    for subgraph in graph.subgraphs:
        values = _Values(subgraph)
        for op in subgraph.operators:
            for index, given in zip(op.outputs, alike.given(op, values), strict=False):
                output = subgraph.tensors[index]
                if output.has_shape and _contradicts(op, output.shape, given):
                    yield Contradiction(
                        subgraph.index, op.index, op.label, output.name, output.shape, given
                    )


class _Alike:
    """What rules give, found once for operators of one kind with equal options and shapes."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._found: dict[tuple[Any, ...], tuple[Shape, ...]] = {}

    def given(self, op: Operator, values: _Values) -> tuple[Shape, ...]:
        """The shapes of an operator's outputs; none where they do not follow."""
        rule = None if op.is_custom else rule_of(op.name)
        if rule is None or not op.inputs or not op.outputs:
            return ()
        tensors = values.subgraph.tensors
        inputs = tuple([tensors[index] if index >= 0 else None for index in op.inputs])
        shapes = [tensor and (tensor.shape if tensor.has_shape else _NONE) for tensor in inputs]
        key = (rule, id(op.options), len(op.outputs), *shapes)
        found = self._found.get(key)
        if found is None:
            asked = values.asked
            try:
                found = tuple(rule(Call(self._graph, op, inputs, values.of)))
            except (UnknownShapeError, *_MALFORMED):
                found = ()
            if values.asked == asked:
                self._found[key] = found
        return found


def _contradicts(op: Operator, stored: Shape, given: Shape) -> bool:
    """Whether TFLM would compute something else with the stored shape.

    Dimensions of 1 that are left out, or too many, change nothing; [0] is an old form of a scalar.
    """
    if min(given, default=1) <= 0 or min(stored, default=1) < 0 or stored == given:
        return False
    if (stored, given) == ((0,), ()):
        return False
    if op.name in _ROWS_ALONE:
        return prod(stored) != prod(given)
    return len(stored) == len(given) or _without_ones(stored) != _without_ones(given)


def _without_ones(shape: Shape) -> list[int]:
    return [size for size in shape if size != 1]


class _Values:
    """Small values of a subgraph that are known before it runs, found when they are asked for."""

    def __init__(self, subgraph: Subgraph) -> None:
        self.subgraph = subgraph
        self.asked = 0
        """How often a value was asked for."""
        self._found: dict[int, Value | None] = {}
        self._writer: dict[int, Operator] | None = None

    def of(self, tensor: Tensor, depth: int = 0) -> Value | None:
        """The value of a tensor, None where it is not known."""
        self.asked += 1
        if tensor.index not in self._found:
            self._found[tensor.index] = None  # for graphs that go in circles
            value = constant(tensor)
            if value is None and tensor.data is None and depth < _MOST_DEPTH:
                value = self._computed(tensor, depth)
            self._found[tensor.index] = value
        return self._found[tensor.index]

    def _computed(self, tensor: Tensor, depth: int) -> Value | None:
        op = self._writers().get(tensor.index)
        if op is None or op.is_custom or min(op.inputs, default=-1) < 0:
            return None
        read = [self.subgraph.tensors[index] for index in op.inputs]
        if op.name == "SHAPE" and read[0].has_shape and tensor.type is TensorType.INT32:
            return Value(tensor.type, tensor.shape, read[0].shape)
        if not can_evaluate(op, self.subgraph):
            return None
        return evaluate(op, [self.of(item, depth + 1) for item in read], tensor)

    def _writers(self) -> dict[int, Operator]:
        """The operator that writes each tensor, of those that one alone writes."""
        if self._writer is None:
            operators = self.subgraph.operators
            times = Counter(index for op in operators for index in op.outputs)
            self._writer = {
                index: op for op in operators for index in op.outputs if times[index] == 1
            }
        return self._writer
