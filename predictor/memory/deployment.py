"""What of a model goes onto the board: the user's file, or a device model made from it."""

from __future__ import annotations

from dataclasses import field, replace

from predictor.memory.revision import Revision
from predictor.model.graph import Graph
from predictor.operators.mn.tables import BUILTIN, has_custom
from predictor.records import dataclass

DROP_IN = frozenset(BUILTIN)
"""Builtin operators that can be registered with the project's own kernels."""


@dataclass(frozen=True)
class Deployment:
    """The model that TFLM gets.

    ``content`` is its file, None for a graph that was not read from one and goes onto the board as
    it is.
    """

    graph: Graph
    is_device_model: bool = False
    content: bytes | None = field(default=None, repr=False)


def deploy(graph: Graph, content: bytes | None, revision: Revision) -> Deployment:
    """The user's model, or its device model where this TFLM needs one to run it.

    Raises:
        RefusedError: it needs one, and an operator has no kernel for its INT4 tensors.
    """
    if not revision.kernel_set.runs_device_models:
        return Deployment(graph, content=content)
    from predictor.model.device.device_model import device_model

    if has_custom(graph):
        return Deployment(graph, is_device_model=True, content=content)
    if revision.kernel_set.registers_builtin(graph):
        return Deployment(graph, content=content)
    made = device_model(graph)
    if made is graph:
        return Deployment(graph, content=content)
    from predictor.model.tflite_writer import write_model

    file = write_model(made)
    return Deployment(replace(made, flatbuffer_bytes=len(file)), True, file)


def smallest(graph: Graph, revision: Revision) -> Graph:
    """The model as it needs the least arena with the revision's kernels.

    With the project's own kernels that is mostly the device model, whose requantisation tables lie
    in flash. The graph itself where nothing is gained.

    Raises:
        RefusedError: TFLM refuses the model.
    """
    if not revision.kernel_set.runs_device_models or has_custom(graph):
        return graph
    from predictor.memory.arena import arena
    from predictor.model.device.device_model import device_model

    made = device_model(graph, "flash")
    if not revision.kernel_set.registers_builtin(graph):
        return made
    needs = [arena(item, revision).required_bytes for item in (made, graph)]
    return made if needs[0] < needs[1] else graph
