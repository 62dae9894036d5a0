"""Which buffers TFLM of 2020 plans, and which operators each of them must outlast.

Mirrors ``AllocationInfoBuilder`` of micro_allocator.cc.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from predictor.errors import RefusedError
from predictor.memory.lifetimes import (
    UNSET,
    Allocation,
    Lifetimes,
    ScratchRequest,
    offline_offsets,
)
from predictor.model.graph import Graph, Tensor
from predictor.model.metadata import ONLINE_PLANNED
from predictor.operators.sizes import runtime_bytes


def lifetimes(graph: Graph, scratch: Iterable[ScratchRequest]) -> Lifetimes:
    """Finds which buffers need planning and how long each lives; step k runs operator k.

    Sizes are those of the shapes in the file, whatever operators do to them. This TFLM knows no
    offline plan; the project's firmware brings a planner that obeys it (for planned tensors:
    variables stay online).

    Raises:
        RefusedError: a tensor needs memory but is never written or never read, or an offline plan
            has a wrong number of offsets.
    """
    main = graph.main
    offsets = offline_offsets(graph) or (ONLINE_PLANNED,) * len(main.tensors)
    allocations = [
        Allocation(
            size_bytes=runtime_bytes(tensor, tensor.shape),
            needs_allocating=not tensor.is_constant and not tensor.is_variable,
            offline_offset=offset,
        )
        for tensor, offset in zip(main.tensors, offsets, strict=True)
    ]
    for index in main.inputs:
        allocations[index].first_use = 0
    for index in main.outputs:
        allocations[index].last_use = len(main.operators) - 1
    for op in main.operators:
        for index in op.inputs:
            if index >= 0:
                allocations[index].last_use = max(allocations[index].last_use, op.index)
        for index in op.outputs:
            allocations[index].create(op.index)
    _leave_out_unwritten(main.tensors, allocations)
    for request in scratch:
        step = request.operator_index
        allocations.append(Allocation(request.size_bytes, True, first_use=step, last_use=step))
    steps = {op.index: (main.index, op.index) for op in main.operators}
    return Lifetimes(allocations, steps, len(main.operators))


def _leave_out_unwritten(tensors: Sequence[Tensor], allocations: Sequence[Allocation]) -> None:
    """A tensor that is read but never written gets no memory; other gaps in a life are errors."""
    for tensor, allocation in zip(tensors, allocations, strict=True):
        if not allocation.needs_allocating:
            continue
        is_written, is_read = allocation.first_use != UNSET, allocation.last_use != UNSET
        if is_read and not is_written:
            allocation.needs_allocating = False
        elif not is_read:
            what = "written, but nothing reads it" if is_written else "used by nothing"
            raise RefusedError(
                f"tensor {tensor.index} ({tensor.name}) is {what}; this TFLM takes that for an "
                "error of its memory planner"
            )
