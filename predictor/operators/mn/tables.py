"""Which models and operators run with the project's kernels, and what these take of an operator."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from predictor.errors import RefusedError
from predictor.model.device.names import PREFIX
from predictor.model.graph import Graph, Operator, Subgraph, TensorType

if TYPE_CHECKING:
    from predictor.model.device.options import DeviceOptions

BUILTIN = (
    "ADD",
    "AVERAGE_POOL_2D",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "HARD_SWISH",
    "LEAKY_RELU",
    "LOGISTIC",
    "MAXIMUM",
    "MAX_POOL_2D",
    "MEAN",
    "MINIMUM",
    "MUL",
    "PAD",
    "PADV2",
    "RELU",
    "RELU6",
    "SOFTMAX",
    "SUB",
    "TANH",
)
"""Builtin operators that current TFLM gets registered with these kernels."""

DROP_IN_LABELS = MappingProxyType({name: f"MN:{name}" for name in BUILTIN})
"""What tables of code sizes call their registrations with these kernels."""


def has_custom(graph: Graph) -> bool:
    """Whether a model has custom operators of this kernel set, as device models do."""
    return any(
        op.is_custom and op.name.startswith(PREFIX)
        for subgraph in graph.subgraphs
        for op in subgraph.operators
    )


_LAST: list[tuple[Graph, bool]] = []
"""The graph that was asked for last, with the answer, as boards ask one after the other."""


def runs_builtin(graph: Graph) -> bool:
    """Whether builtin operators get registered with these kernels: they take each such operator of
    the model, and it is no device model."""
    for known, answer in _LAST:
        if known is graph:
            return answer
    answer = _runs_builtin(graph)
    _LAST[:] = [(graph, answer)]
    return answer


def _runs_builtin(graph: Graph) -> bool:
    from predictor.model.device.layers import has_int4_activations

    if has_custom(graph) or has_int4_activations(graph):
        return False
    for subgraph in graph.subgraphs:
        for op in subgraph.operators:
            if op.is_custom or op.name not in BUILTIN:
                continue
            try:
                drop_in_options(subgraph, op)
            except RefusedError:
                return False
    return True


def drop_in_options(subgraph: Subgraph, op: Operator) -> DeviceOptions:
    """What the kernel of a builtin operator takes.

    Raises:
        RefusedError: the kernel does not take it, or its activations are not INT8.
    """
    for index in op.inputs[:1]:
        if index >= 0 and subgraph.tensors[index].type != TensorType.INT8:
            tensor = subgraph.tensors[index]
            raise RefusedError(
                f"tensor {tensor.name!r} is {tensor.type.name}; these kernels take INT8 here",
                op.label,
                op.index,
                subgraph.index,
            )
    from predictor.model.device.layers import drop_in_options_of

    return drop_in_options_of(subgraph, op)
