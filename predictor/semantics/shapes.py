"""Shapes that operators give, held against those that stand in the file.

TFLM takes the file's shapes. Where a converter has left a placeholder (a batch or a size of 1 for
one that is not known), it computes on a part of the data without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from predictor.model.graph import Graph, Operator, Subgraph, Tensor
from predictor.semantics.values import constant

Shape = tuple[int, ...]
_SAME = 0


class Contradiction(NamedTuple):
    """An output whose shape in the file is not what its operator gives."""

    subgraph: int
    operator: int
    label: str
    tensor: str
    stored: Shape
    given: Shape


def contradictions(graph: Graph) -> Iterator[Contradiction]:
    """Contradictions in the order of the file; each operator is held against the shapes of its
    inputs in the file. Operators without a rule are not looked at."""
    for subgraph in graph.subgraphs:
        for op in subgraph.operators:
            rule = None if op.is_custom else _RULES.get(op.name)
            if rule is None or not op.inputs or not op.outputs:
                continue
            tensors = [subgraph.tensors[index] for index in op.inputs if index >= 0]
            output = subgraph.tensors[op.outputs[0]]
            if not all(tensor.has_shape for tensor in (*tensors, output)):
                continue
            given = rule(op, subgraph, tensors)
            if given is not None and given != output.shape and min(given, default=1) > 0:
                yield Contradiction(
                    subgraph.index, op.index, op.label, output.name, output.shape, given
                )


Rule = Callable[[Operator, Subgraph, list[Tensor]], Shape | None]


def _blocks(tensors: list[Tensor]) -> tuple[Shape, Shape] | None:
    """Block sizes and paddings (or crops) of SPACE_TO_BATCH_ND and its inverse."""
    if len(tensors) != 3:
        return None
    sizes, edges = constant(tensors[1]), constant(tensors[2])
    if sizes is None or edges is None or len(edges.items) != 2 * len(sizes.items):
        return None
    if any(size < 1 for size in sizes.items) or len(tensors[0].shape) < 1 + len(sizes.items):
        return None
    return tuple(map(int, sizes.items)), tuple(map(int, edges.items))


def _space_to_batch(op: Operator, subgraph: Subgraph, tensors: list[Tensor]) -> Shape | None:
    found = _blocks(tensors)
    if found is None:
        return None
    sizes, edges = found
    batch, *rest = tensors[0].shape
    for axis, size in enumerate(sizes):
        whole = rest[axis] + edges[2 * axis] + edges[2 * axis + 1]
        if whole % size:
            return None
        rest[axis], batch = whole // size, batch * size
    return (batch, *rest)


def _batch_to_space(op: Operator, subgraph: Subgraph, tensors: list[Tensor]) -> Shape | None:
    found = _blocks(tensors)
    if found is None:
        return None
    sizes, edges = found
    batch, *rest = tensors[0].shape
    for axis, size in enumerate(sizes):
        if batch % size:
            return None
        rest[axis] = rest[axis] * size - edges[2 * axis] - edges[2 * axis + 1]
        batch //= size
    return (batch, *rest)


def _window(op: Operator, image: Shape, height: int, width: int, depth: int) -> Shape | None:
    """Of a window that goes over an image."""
    if len(image) != 4:
        return None
    options = op.options
    found = []
    for axis, extent, name in ((1, height, "h"), (2, width, "w")):
        stride = int(options.get(f"stride_{name}", 0))
        dilation = int(options.get(f"dilation_{name}_factor", 1))
        if stride < 1 or extent < 1:
            return None
        size = image[axis]
        if options.get("padding", _SAME) != _SAME:
            size -= (extent - 1) * dilation
        found.append(-(-size // stride))
    return (image[0], *found, depth)


def _conv(op: Operator, subgraph: Subgraph, tensors: list[Tensor]) -> Shape | None:
    if len(tensors) < 2 or len(tensors[1].shape) != 4:
        return None
    depth, height, width, _ = tensors[1].shape
    return _window(op, tensors[0].shape, height, width, depth)


def _depthwise(op: Operator, subgraph: Subgraph, tensors: list[Tensor]) -> Shape | None:
    if len(tensors) < 2 or len(tensors[1].shape) != 4:
        return None
    _, height, width, depth = tensors[1].shape
    return _window(op, tensors[0].shape, height, width, depth)


def _pool(op: Operator, subgraph: Subgraph, tensors: list[Tensor]) -> Shape | None:
    height, width = (int(op.options.get(f"filter_{name}", 0)) for name in ("height", "width"))
    image = tensors[0].shape
    return _window(op, image, height, width, image[-1]) if image else None


def _like_input(op: Operator, subgraph: Subgraph, tensors: list[Tensor]) -> Shape | None:
    return tensors[0].shape


_UNARY = (
    "ABS", "CEIL", "COS", "DEQUANTIZE", "ELU", "EXP", "FLOOR", "HARD_SWISH", "LEAKY_RELU", "LOG",
    "LOGISTIC", "NEG", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "ROUND", "RSQRT", "SIN",
    "SOFTMAX", "SQRT", "SQUARE", "TANH",
)  # fmt: skip
_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_UNARY, _like_input),
    "AVERAGE_POOL_2D": _pool,
    "BATCH_TO_SPACE_ND": _batch_to_space,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "MAX_POOL_2D": _pool,
    "SPACE_TO_BATCH_ND": _space_to_batch,
}
