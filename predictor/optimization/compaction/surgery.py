"""A graph with other tensors and operators in its main subgraph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from predictor.model.builder.tensors import NUMPY_TYPES, stored_bytes
from predictor.model.device.packing import unpack
from predictor.model.graph import Graph, Operator, Quantization, Tensor, TensorType
from predictor.optimization.compaction.spans import Ints


class Draft:
    """The main subgraph of a graph, open to changes; indices stay those of the graph.

    Tensors may be replaced and added, operators replaced and removed; ``graph`` closes it.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.tensors = list(graph.main.tensors)
        self.operators = list(graph.main.operators)
        self.inputs = list(graph.main.inputs)
        self.outputs = list(graph.main.outputs)

    def constant(self, name: str, values: Ints, like: Tensor) -> int:
        """Adds a constant of another one's type and quantisation; returns its index."""
        index = len(self.tensors)
        data = memoryview(stored_bytes(values, like.type))
        self.tensors.append(
            replace(like, index=index, name=name, shape=tuple(values.shape), data=data or None)
        )
        return index

    def with_inputs(self, op: Operator, changes: dict[int, int]) -> Operator:
        """The operator with other tensors at some of its input positions."""
        inputs = list(op.inputs)
        for position, tensor in changes.items():
            inputs[position] = tensor
        return replace(op, inputs=tuple(inputs))

    def graph(self) -> Graph:
        """The new graph: operators and tensors renumbered, tensors that nothing names dropped."""
        main = self._graph.main
        named = [*self.inputs, *self.outputs]
        for op in self.operators:
            named += [*op.inputs, *op.outputs, *op.intermediates]
        kept = sorted({index for index in named if index >= 0})
        place = {old: new for new, old in enumerate(kept)}
        place[-1] = -1

        def moved(indices: Iterable[int]) -> tuple[int, ...]:
            return tuple(place[index] for index in indices)

        operators = tuple(
            replace(
                op,
                index=number,
                inputs=moved(op.inputs),
                outputs=moved(op.outputs),
                intermediates=moved(op.intermediates),
            )
            for number, op in enumerate(self.operators)
        )
        tensors = tuple(replace(self.tensors[old], index=new) for new, old in enumerate(kept))
        changed = replace(
            main,
            tensors=tensors,
            operators=operators,
            inputs=moved(self.inputs),
            outputs=moved(self.outputs),
        )
        return replace(self._graph, subgraphs=(changed, *self._graph.subgraphs[1:]))


def has_integers(tensor: Tensor) -> bool:
    """Whether the values are known: a whole constant of a type of integers that numpy has."""
    is_known = NUMPY_TYPES.get(tensor.type, "?").strip("<")[0] in "iu"
    return is_known and tensor.is_whole


def integers(tensor: Tensor) -> Ints:
    """The values of an integer constant, in its shape; 4-bit ones unpacked."""
    assert tensor.data is not None
    if tensor.type == TensorType.INT4:
        values = unpack(tensor.data, tensor.elements, 4)
    else:
        # A file may hold more bytes than the shape needs.
        values = np.frombuffer(tensor.data[: tensor.stored_bytes], NUMPY_TYPES[tensor.type])
    return values.astype(np.int64).reshape(tensor.shape)


def with_values(tensor: Tensor, values: Ints) -> Tensor:
    """The constant with other integers, and their shape."""
    data = memoryview(stored_bytes(values, tensor.type))
    return replace(tensor, shape=tuple(values.shape), data=data or None)


def with_channels(quantization: Quantization | None, kept: Ints) -> Quantization | None:
    """What is left of per-channel quantisation."""
    if quantization is None or not quantization.is_per_channel:
        return quantization
    zero_points = quantization.zero_points
    return replace(
        quantization,
        scales=tuple(quantization.scales[index] for index in kept),
        zero_points=tuple(zero_points[index] for index in kept)
        if len(zero_points) > 1
        else zero_points,
    )


def readers(operators: Sequence[Operator], outputs: Sequence[int]) -> Counter[int]:
    """How often each tensor is read, by operators and as an output of the model."""
    return Counter([index for op in operators for index in op.inputs if index >= 0]) + Counter(
        outputs
    )
