"""A ``networkx`` view of a graph, for users who want to walk or draw it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.errors import MissingDependencyError
from predictor.model.graph import OPTIONAL_TENSOR, Graph

if TYPE_CHECKING:
    import networkx


def to_networkx(graph: Graph, subgraph_index: int = 0) -> networkx.MultiDiGraph[int | str]:
    """One subgraph as a directed multigraph of operators.

    Nodes are operator indices (attributes ``operator``, ``options``) and the strings "input k"
    and "output k" for the subgraph's ends. Each edge is a tensor that one node writes and
    another reads (attributes ``tensor``, ``name``, ``shape``, ``type``). Constants are no edges.

    Raises:
        MissingDependencyError: networkx is not installed.
    """
    try:
        import networkx
    except ImportError:
        raise MissingDependencyError("this view needs networkx: pip install networkx") from None
    subgraph = graph.subgraphs[subgraph_index]
    network: networkx.MultiDiGraph[int | str] = networkx.MultiDiGraph(name=subgraph.name)
    writer: dict[int, int | str] = {}

    def connect(tensor_index: int, reader: int | str) -> None:
        if tensor_index == OPTIONAL_TENSOR or tensor_index not in writer:
            return
        tensor = subgraph.tensors[tensor_index]
        network.add_edge(
            writer[tensor_index],
            reader,
            tensor=tensor_index,
            name=tensor.name,
            shape=tensor.shape,
            type=tensor.type.name,
        )

    for position, tensor_index in enumerate(subgraph.inputs):
        network.add_node(f"input {position}")
        writer[tensor_index] = f"input {position}"
    for op in subgraph.operators:
        network.add_node(op.index, operator=op.label, options=dict(op.options))
        for tensor_index in op.inputs:
            connect(tensor_index, op.index)
        for tensor_index in op.outputs:
            writer[tensor_index] = op.index
    for position, tensor_index in enumerate(subgraph.outputs):
        network.add_node(f"output {position}")
        connect(tensor_index, f"output {position}")
    return network
