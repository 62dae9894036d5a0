"""Runs the Init and Prepare of all operators of a graph, as TFLM does before it plans memory."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from typing import Any, TypeVar

from predictor.errors import RefusedError
from predictor.memory.flow import Flow, load_flow
from predictor.memory.lifetimes import ScratchRequest
from predictor.memory.prepared import PreparedGraph, PreparedNode
from predictor.memory.revision import Revision
from predictor.model.graph import Graph, Operator, Subgraph
from predictor.operators.advice import advice
from predictor.operators.context import GraphState, NodeContext
from predictor.operators.kernel_set import overlay
from predictor.operators.registry import OperatorRow, OperatorTable

T = TypeVar("T")


def prepare(
    graph: Graph, revision: Revision, resource_variables: int | None = None
) -> PreparedGraph:
    """Initialises and prepares each operator of each subgraph.

    Args:
        resource_variables: for how many the application makes room, None for as many as there are.

    Raises:
        RefusedError: TFLM has no such operator, or its Prepare fails.
    """
    flow = load_flow(revision.flow)
    flow.check_graph(graph)
    state = GraphState(resource_variables)
    sizeof = revision.structs.size_of
    operators = revision.kernel_set.operators(graph)
    refusals = _Refusals(graph)
    contexts: list[tuple[OperatorRow, NodeContext]] = []
    for subgraph in graph.subgraphs:
        for op in subgraph.operators:
            row = refusals.catch(subgraph, op, _row, operators, op, subgraph)
            if row is None:
                continue
            context = flow.NODE_CONTEXT(graph, subgraph, op, revision.core, sizeof, state)
            _note_version(row, context)
            contexts.append((row, context))
    nodes: list[PreparedNode] = []
    for row, context in contexts:
        if row.init is not None:
            refusals.catch(context.subgraph, context.op, row.init, context)
        init_requests, context.requests = context.requests, []
        nodes.append(PreparedNode(row, context, init_requests, context.requests))
    scratch: list[ScratchRequest] = []
    for node in nodes:
        context = node.context
        refusals.catch(context.subgraph, context.op, _prepare_node, node, flow, revision)
        scratch += [
            ScratchRequest(size, context.subgraph.index, context.op.index)
            for size in context.scratch_bytes
        ]
    prepared = PreparedGraph(graph, revision, nodes, state, scratch)
    refusals.raise_if_any(prepared)
    return prepared


def _prepare_node(node: PreparedNode, flow: Flow, revision: Revision) -> None:
    if node.row.prepare is not None:
        node.row.prepare(node.context)
    flow.check_prepared(node.context, revision.rules)


class _Refusals:
    """Gathers what TFLM refuses, operator by operator.

    What is wrong with operators that read what a refused one writes may follow from it, and is not
    told.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._found: dict[str, RefusedError] = {}
        self._unknown: set[tuple[int, int]] = set()
        self._refused: set[tuple[int, int]] = set()

    def catch(
        self, subgraph: Subgraph, op: Operator, step: Callable[..., T], *arguments: Any
    ) -> T | None:
        """What a step of an operator gives; None where it is refused."""
        if not self._refused:
            try:
                return step(*arguments)
            except RefusedError as error:
                self._refuse(subgraph, op)
                self._found[error.words] = error.with_traceback(None)
            return None
        place, unknown = (subgraph.index, op.index), self._unknown
        follows = bool(unknown) and any((subgraph.index, i) in unknown for i in op.inputs)
        if follows:
            self._unknown.update((subgraph.index, i) for i in op.outputs)
        if place in self._refused:
            return None
        try:
            return step(*arguments)
        except RefusedError as error:
            self._refuse(subgraph, op)
            if step is _row or not follows:
                self._found.setdefault(error.words, error.with_traceback(None))
        return None

    def _refuse(self, subgraph: Subgraph, op: Operator) -> None:
        self._refused.add((subgraph.index, op.index))
        self._unknown.update((subgraph.index, i) for i in op.outputs)

    def raise_if_any(self, prepared: PreparedGraph) -> None:
        """Raises one error for all that was found, with what was prepared without one."""
        if not self._found:
            return
        newest = overlay("reference").names()
        first, *more = [self._with_advice(error, newest) for error in self._found.values()]
        raise RefusedError(
            first.reason,
            first.operator,
            first.operator_index,
            first.subgraph_index,
            first.advice,
            more,
            self._rest(prepared),
        )

    def _rest(self, prepared: PreparedGraph) -> PreparedGraph:
        """What was prepared without a refusal."""
        refused = self._refused
        return replace(
            prepared,
            nodes=[
                node
                for node in prepared.nodes
                if (node.context.subgraph.index, node.context.op.index) not in refused
            ],
            scratch=[
                item
                for item in prepared.scratch
                if (item.subgraph_index, item.operator_index) not in refused
            ],
        )

    def _with_advice(self, error: RefusedError, newest: Container[str]) -> RefusedError:
        if error.operator is None or error.operator_index is None:
            return error
        place = error.subgraph_index, error.operator_index
        newer = error.operator in newest
        words = advice(error.reason, error.operator, self._graph, *place, newer)
        return RefusedError(error.reason, error.operator, place[1], place[0], words)


def _row(operators: OperatorTable, op: Operator, subgraph: Subgraph) -> OperatorRow:
    row = operators.find(op.name)
    if row is None:
        kind = "custom operator" if op.is_custom else "operator"
        raise RefusedError(
            f"it has no such {kind}", op.label, op.index, subgraph_index=subgraph.index
        )
    if op.custom_options is not None and not op.is_custom:
        raise RefusedError(
            "it is a builtin operator with custom options",
            op.label,
            op.index,
            subgraph_index=subgraph.index,
        )
    return row


def _note_version(row: OperatorRow, context: NodeContext) -> None:
    newest, version = row.highest_version, context.op.version
    if newest is not None and version > newest:
        context.note(
            f"its version {version} is newer than {newest}, the newest that this TFLM lists: its "
            "resolver of all operators refuses it, and where one takes it, results may differ"
        )
