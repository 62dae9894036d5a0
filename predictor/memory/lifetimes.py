"""Which buffers TFLM plans, and from which step to which each of them lives.

Mirrors ``AllocationInfoBuilder`` (micro_allocation_info.cc).
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from predictor.errors import ModelError, RefusedError
from predictor.model.graph import Graph, Operator
from predictor.model.metadata import OFFLINE_PLAN, ONLINE_PLANNED
from predictor.operators.context import GraphState
from predictor.operators.sizes import runtime_bytes
from predictor.records import dataclass

MOST_REVISITS = 200_000
"""How often control flow may visit operators again; a file with more is taken for hostile."""

UNSET = -1

_CALLED_SUBGRAPHS = {
    "IF": ("then_subgraph_index", "else_subgraph_index"),
    "CALL_ONCE": ("init_subgraph_index",),
    "WHILE": ("cond_subgraph_index", "body_subgraph_index"),
}


class ScratchRequest(NamedTuple):
    """A scratch buffer: bytes and the operator that asked for it."""

    size_bytes: int
    subgraph_index: int
    operator_index: int


@dataclass(slots=True)
class Allocation:
    """``AllocationInfo``: one tensor or scratch buffer and its life. Steps count operators."""

    size_bytes: int
    needs_allocating: bool
    offline_offset: int = ONLINE_PLANNED
    first_use: int = UNSET
    last_use: int = UNSET

    def use(self, step: int) -> None:
        self.last_use = step

    def create(self, step: int) -> None:
        if self.first_use == UNSET:
            self.first_use = step


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """All allocations of a graph in TFLM's order: tensors by subgraph, then scratch buffers.

    ``steps`` names the operator (subgraph index, operator index) that runs at each step; the
    first step of each subgraph call runs none.
    """

    allocations: list[Allocation]
    steps: dict[int, tuple[int, int]]
    step_count: int


def called_subgraphs(op: Operator) -> tuple[int, ...]:
    """Indices of the subgraphs that a control-flow operator calls, in TFLM's order."""
    fields = _CALLED_SUBGRAPHS.get(op.name, ())
    return tuple(int(op.options.get(field, 0)) for field in fields)


def offline_offsets(graph: Graph) -> tuple[int, ...] | None:
    """Offsets of the model's OfflineMemoryAllocation metadata, one per tensor, or None.

    Raises:
        RefusedError: their number differs from the number of tensors.
        ModelError: the metadata is cut short.
    """
    raw = graph.metadata.get(OFFLINE_PLAN)
    if raw is None:
        return None
    if raw.nbytes < 12:
        raise ModelError(f"{OFFLINE_PLAN} metadata has {raw.nbytes} bytes, needs 12")
    (count,) = struct.unpack_from("<I", raw, 8)
    if count != graph.tensor_count:
        raise RefusedError(
            f"its {OFFLINE_PLAN} metadata has {count} offsets for {graph.tensor_count} tensors"
        )
    if raw.nbytes < 12 + 4 * count:
        raise ModelError(f"{OFFLINE_PLAN} metadata is cut short")
    return struct.unpack_from(f"<{count}i", raw, 12)


def lifetimes(
    graph: Graph,
    state: GraphState,
    scratch: list[ScratchRequest],
    offsets: tuple[int, ...] | None,
) -> Lifetimes:
    """Finds which buffers need planning and how long each lives."""
    return _Builder(graph, state, scratch, offsets).build()


class _Builder:
    def __init__(
        self,
        graph: Graph,
        state: GraphState,
        scratch: list[ScratchRequest],
        offsets: tuple[int, ...] | None,
    ) -> None:
        self._graph = graph
        self._tensors: list[list[Allocation]] = []
        position = 0
        is_changed = bool(state.shapes or state.data)
        for subgraph in graph.subgraphs:
            allocations = []
            for tensor in subgraph.tensors:
                shape, planned = tensor.shape, tensor.data is None and not tensor.is_variable
                if is_changed:
                    key = (subgraph.index, tensor.index)
                    shape = state.shapes.get(key, shape)
                    planned = planned and key not in state.data
                size = runtime_bytes(tensor, shape)
                planned = planned and size != 0
                offset = ONLINE_PLANNED
                if offsets is not None:
                    offset = offsets[position]
                    position += 1
                    if tensor.is_variable and offset != ONLINE_PLANNED:
                        planned = True
                allocations.append(Allocation(size, planned, offset))
            self._tensors.append(allocations)
        self._scratch = [Allocation(request.size_bytes, True) for request in scratch]
        self._scratch_of: dict[tuple[int, int], list[Allocation]] = {}
        for request, allocation in zip(scratch, self._scratch, strict=True):
            key = (request.subgraph_index, request.operator_index)
            self._scratch_of.setdefault(key, []).append(allocation)
        self._step = 0
        self._visited = 0
        operators = sum(len(subgraph.operators) for subgraph in graph.subgraphs)
        self._most_visits = operators + MOST_REVISITS
        self._steps: dict[int, tuple[int, int]] = {}

    def build(self) -> Lifetimes:
        self._mark(0, ())
        allocations = [item for tensors in self._tensors for item in tensors] + self._scratch
        return Lifetimes(allocations, self._steps, self._step + 1)

    def _mark(self, subgraph_index: int, callers: tuple[int, ...]) -> None:
        """Mirrors ``MarkAllocationLifetimes``."""
        if subgraph_index in callers:
            raise ModelError(f"subgraph {subgraph_index} calls itself: TFLM would never return")
        if len(callers) > 32:
            raise ModelError("control flow is nested more than 32 deep")
        subgraph = self._graph.subgraphs[subgraph_index]
        tensors = self._tensors[subgraph_index]
        for tensor in subgraph.inputs:
            tensors[tensor].create(self._step)
            tensors[tensor].use(self._step)
        for op in subgraph.operators:
            self._step += 1
            self._visited += 1
            if self._visited > self._most_visits:
                raise ModelError(
                    f"control flow visits operators {self._most_visits:,} times and more"
                )
            self._steps[self._step] = (subgraph_index, op.index)
            for tensor in op.outputs:
                tensors[tensor].create(self._step)
            start = self._step
            if op.has_newer_code and op.name in _CALLED_SUBGRAPHS:
                for called in called_subgraphs(op):
                    if not 0 <= called < len(self._graph.subgraphs):
                        raise ModelError(
                            f"operator {op.index} ({op.name}) calls subgraph {called}, "
                            "which is absent"
                        )
                    self._step += 1
                    self._mark(called, (*callers, subgraph_index))
            for tensor in op.inputs:
                if tensor >= 0:
                    tensors[tensor].use(self._step)
            for tensor in op.outputs:
                tensors[tensor].use(self._step)
            for allocation in self._scratch_of.get((subgraph_index, op.index), ()):
                allocation.create(start)
                allocation.use(self._step)
        for tensor in subgraph.outputs:
            tensors[tensor].create(self._step)
            tensors[tensor].use(self._step)
