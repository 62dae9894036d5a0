"""For each operator of a model the cheaper kernel: the project's own, or that of TFLM's library.

An op resolver has one kernel for each operator, so all layers of a kind run with the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from predictor.cores.core import Core
from predictor.cost.instructions import work
from predictor.cost.op_count import layers
from predictor.errors import RefusedError
from predictor.kernel_sets import left_operators, without_operators
from predictor.memory.preparation import prepare
from predictor.memory.revision import best_of, load_revision
from predictor.model.graph import Graph
from predictor.model.metadata import read_plan_origin


def best_kernels(graph: Graph, revision: str, core: Core) -> str:
    """The kernel set in which each operator of the model takes the fewest instructions.

    A model whose memory plan was made for such a kernel set keeps that one.

    Raises:
        RevisionError: the revision has no two kernel sets to choose from.
        RefusedError: TFLM refuses the model.
    """
    own = best_of(revision)
    kernel_set = load_revision(revision, own, core).kernel_set
    served = frozenset().union(*(overlay.names() for overlay in kernel_set.overlays))
    origin = read_plan_origin(graph.metadata)
    if origin is not None:
        name, left = left_operators(origin.kernels)
        if name == own and left <= served:
            return without_operators(own, left)
    if not kernel_set.registers_builtin(graph):
        return own
    used = served & frozenset(op.name for part in graph.subgraphs for op in part.operators)
    with_own = _instructions(graph, revision, own, core)
    try:
        with_library = _instructions(graph, revision, without_operators(own, used), core)
    except RefusedError:
        return own
    return without_operators(own, (it for it in used if with_library[it] < with_own[it]))


def _instructions(graph: Graph, revision: str, kernels: str, core: Core) -> Mapping[str, float]:
    """Instructions of one run of all operators of a name."""
    prepared = prepare(graph, load_revision(revision, kernels, core))
    found: defaultdict[str, float] = defaultdict(float)
    for node, item in zip(prepared.nodes, work(prepared, layers(prepared)), strict=True):
        found[node.context.op.name] += item.instructions
    return found
