"""What rows of operators say of work and overlap holds for any tensors: no exception, no NaN.

A kernel's Prepare does not look at all that these functions read, and some kernels have none.
"""

from __future__ import annotations

import random

import pytest

from predictor.errors import PredictorError
from predictor.memory.preparation import prepare
from predictor.memory.prepared import PreparedNode
from predictor.memory.revision import load_revision
from predictor.model.graph import Graph
from predictor.operators.context import GraphState, NodeContext
from tests.fuzz.graph_mutations import with_other_tensors
from tests.fuzz.seeds import seed_graphs

KERNEL_SETS = [
    ("2026.08", "cmsis_nn"),
    ("2026.08", "reference"),
    ("2026.08", "mn"),
    ("2020.07", "reference"),
]


def _nodes(graph: Graph, revision: str, kernels: str) -> list[PreparedNode]:
    try:
        return prepare(graph, load_revision(revision, kernels)).nodes
    except PredictorError:
        return []


@pytest.mark.parametrize(("revision", "kernels"), KERNEL_SETS)
def test_work_and_overlap_of_any_tensors(revision: str, kernels: str) -> None:
    rng = random.Random(1)
    looked_at = 0
    for graph in seed_graphs():
        for node in _nodes(graph, revision, kernels):
            for _ in range(12):
                context = _elsewhere(node.context, with_other_tensors(graph, rng))
                counted = node.row.count(context)
                assert min(counted) >= 0, node.row.name
                loops = node.row.loops(context) if node.row.loops is not None else None
                if loops is not None:
                    assert min(loops.terms.values(), default=0) >= 0, node.row.name
                overlaps = node.row.overlap(context) if node.row.overlap is not None else ()
                assert all(item.distance_bytes >= 0 for item in overlaps), node.row.name
                looked_at += 1
    assert looked_at > 500


def _elsewhere(context: NodeContext, graph: Graph) -> NodeContext:
    """The same operator among other tensors."""
    subgraph = graph.subgraphs[context.subgraph.index]
    other = type(context)(graph, subgraph, context.op, context.core, context.sizeof, GraphState())
    other.user = context.user
    return other
