"""What differs between generations of TFLM when a model is allocated.

A revision names its flow in ``revision.toml``; the module ``arena_<flow>`` of this folder holds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from predictor.memory.revision import Rules
from predictor.model.graph import Graph
from predictor.operators.context import NodeContext

if TYPE_CHECKING:
    from predictor.memory.arena_report import ArenaReport, SharedArena
    from predictor.memory.prepared import PreparedGraph


class Flow(Protocol):
    """One generation's way from a model to its arena; modules implement it."""

    @property
    def NODE_CONTEXT(self) -> type[NodeContext]:  # noqa: N802
        """What its kernels see in Init and Prepare."""

    def check_graph(self, graph: Graph) -> None:
        """What TFLM refuses before it looks at operators.

        Raises:
            RefusedError: TFLM refuses the model.
        """

    def check_prepared(self, context: NodeContext, rules: Rules) -> None:
        """What TFLM checks after an operator's Prepare.

        Raises:
            RefusedError: TFLM refuses the model.
        """

    def replay(self, prepared: PreparedGraph) -> ArenaReport:
        """Replays the allocations of ``MicroInterpreter::AllocateTensors`` in their order.

        Raises:
            RefusedError: TFLM refuses the model.
        """

    def replay_sharing(self, models: Sequence[PreparedGraph]) -> SharedArena:
        """Replays the allocations of interpreters that share one arena, one after the other.

        Raises:
            RefusedError: TFLM refuses a model.
            UsageError: this TFLM gives each interpreter an arena of its own.
        """


@cache
def load_flow(name: str) -> Flow:
    """The flow that a revision names."""
    return cast(Flow, import_module(f"predictor.memory.arena_{name}"))
