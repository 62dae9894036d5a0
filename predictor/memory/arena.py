"""TFLM's arena, to the byte: what ``AllocateTensors`` takes and what it needs to succeed.

Mirrors ``MicroInterpreter::AllocateTensors`` and ``MicroAllocator``.
"""

from __future__ import annotations

from collections.abc import Sequence

from predictor.memory.arena_report import ArenaReport, SharedArena
from predictor.memory.flow import load_flow
from predictor.memory.preparation import prepare
from predictor.memory.prepared import PreparedGraph
from predictor.memory.revision import Revision
from predictor.model.graph import Graph


def arena(graph: Graph, revision: Revision, resource_variables: int | None = None) -> ArenaReport:
    """Predicts the arena of a model.

    Args:
        resource_variables: for how many the application makes room, None for as many as there are.

    Raises:
        RefusedError: TFLM refuses the model; says which operator and why.
    """
    return replay(prepare(graph, revision, resource_variables))


def replay(prepared: PreparedGraph) -> ArenaReport:
    """Replays the allocations of ``MicroInterpreter::AllocateTensors`` in their order.

    Raises:
        RefusedError: TFLM refuses the model for what it has to plan.
    """
    return load_flow(prepared.revision.flow).replay(prepared)


def shared_arena(models: Sequence[PreparedGraph]) -> SharedArena:
    """What models take of one arena that their interpreters share, allocated in this order.

    Raises:
        UsageError: this TFLM gives each interpreter an arena of its own.
        RefusedError: TFLM refuses a model.
    """
    return load_flow(models[0].revision.flow).replay_sharing(models)
