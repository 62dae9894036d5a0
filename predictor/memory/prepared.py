"""A graph whose operators have been through Init and Prepare, and what these asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from predictor.memory.lifetimes import ScratchRequest
from predictor.memory.revision import Revision
from predictor.model.graph import Graph
from predictor.operators.context import GraphState, NodeContext, Request
from predictor.operators.registry import OperatorRow
from predictor.records import dataclass


@dataclass(frozen=True, slots=True)
class PreparedNode:
    """One operator with what its Init and Prepare asked for, in order."""

    row: OperatorRow
    context: NodeContext
    init_requests: list[Request]
    prepare_requests: list[Request]

    @property
    def params(self) -> str | None:
        return self.row.params

    @property
    def steered_options(self) -> Mapping[str, Any] | None:
        """Options that give the same results by a kernel that allows more overlap, if any."""
        return None if self.row.steered is None else self.row.steered(self.context)

    @property
    def scratch_bytes(self) -> list[int]:
        return self.context.scratch_bytes


@dataclass(frozen=True, slots=True)
class PreparedGraph:
    """All operators in TFLM's order (subgraph by subgraph) and what they changed."""

    graph: Graph
    revision: Revision
    nodes: list[PreparedNode]
    state: GraphState
    scratch: list[ScratchRequest]

    @property
    def inexact_reasons(self) -> list[str]:
        """Why figures are not known to be exact; empty where they are."""
        return messages(self.nodes, "inexact_reasons")

    @property
    def notes(self) -> list[str]:
        return messages(self.nodes, "notes")


def messages(nodes: Iterable[PreparedNode], attribute: str) -> list[str]:
    """What the operators noted under an attribute of their contexts, each with its operator."""
    return [
        f"operator {node.context.op.index} ({node.context.op.label}): {message}"
        for node in nodes
        for message in getattr(node.context, attribute)
    ]
