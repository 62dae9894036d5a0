"""What rows of operators say of work and overlap holds for any tensors: no exception, no NaN.

A kernel's Prepare does not look at all that these functions read, and some kernels have none.
"""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from predictor.errors import PredictorError, RefusedError
from predictor.memory.preparation import prepare
from predictor.memory.prepared import PreparedNode
from predictor.memory.revision import kernel_sets, load_revision, revision_names
from predictor.model.graph import Graph
from predictor.operators.context import GraphState, NodeContext
from predictor.semantics.shapes import contradictions
from tests.fuzz.graph_mutations import with_other_tensors, with_scalars
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


@pytest.mark.parametrize(
    ("revision", "kernels"),
    [(name, kernels) for name in revision_names() for kernels in kernel_sets(name)],
)
def test_preparation_with_any_tensors(revision: str, kernels: str) -> None:
    """Refused or prepared, scalars among them, where other operators would not let them come."""
    rng = random.Random(2)
    prepared = 0
    for graph in seed_graphs():
        for node in _nodes(graph, revision, kernels):
            for round in range(6):
                tensors = with_scalars(graph, rng) if round % 2 else with_other_tensors(graph, rng)
                context = _elsewhere(node.context, tensors)
                for step in (node.row.init, node.row.prepare):
                    if step is not None:
                        with suppress(RefusedError):
                            step(context)
                            prepared += 1
    assert prepared > 500


def test_shapes_of_any_tensors() -> None:
    """What follows from shapes is found, or nothing follows."""
    rng = random.Random(3)
    found = 0
    for graph in seed_graphs():
        for change in (with_other_tensors, with_scalars) * 30:
            found += sum(1 for _ in contradictions(change(graph, rng)))
    assert found > 500
