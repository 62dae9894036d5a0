"""The arena of TFLM of mid-2020: one subgraph, all tensors kept, nothing temporary in Prepare.

Mirrors ``MicroInterpreter::AllocateTensors``, ``MicroAllocator`` and ``SimpleMemoryAllocator`` of
that time.
"""

from __future__ import annotations

from collections.abc import Sequence

from predictor.errors import RefusedError, UsageError
from predictor.memory.allocator import ArenaAllocator
from predictor.memory.arena_report import (
    BUILTIN_DATA,
    NODES,
    PERSISTENT_BUFFERS,
    PERSISTENT_TENSORS,
    QUANTIZATION,
    RUNTIME_OBJECTS,
    SCRATCH_HANDLES,
    VARIABLES,
    ArenaReport,
    SharedArena,
)
from predictor.memory.greedy_planner import plan
from predictor.memory.lifetimes_2020 import lifetimes
from predictor.memory.placement import (
    arena_report,
    buffer_requests,
    head_bytes,
    planned_buffers,
)
from predictor.memory.prepared import PreparedGraph
from predictor.memory.revision import Rules
from predictor.model.graph import Graph, TensorType
from predictor.operators.context import NodeContext
from predictor.operators.reference_2020.context import KeptTensorsContext
from predictor.operators.sizes import align_up, runtime_bytes

NODE_CONTEXT = KeptTensorsContext

_TENSOR_TYPES = frozenset(
    (
        TensorType.FLOAT32,
        TensorType.INT32,
        TensorType.UINT8,
        TensorType.INT64,
        TensorType.BOOL,
        TensorType.INT16,
        TensorType.COMPLEX64,
        TensorType.INT8,
    )
)
"""Element types of which ``TfLiteTypeSizeOf`` knows the size."""
_HAS_SCRATCH = "scratch buffers were requested"
_HAS_GAP = "persistent buffers were requested after scratch buffers"


def check_graph(graph: Graph) -> None:
    """Mirrors ``InitGraphAndContextTensorData`` and how operator codes are read."""
    if len(graph.subgraphs) != 1:
        raise RefusedError(f"it has {len(graph.subgraphs)} subgraphs; this TFLM takes only one")
    for tensor in graph.main.tensors:
        if tensor.type not in _TENSOR_TYPES:
            raise RefusedError(
                f"tensor {tensor.index} ({tensor.name}) is {tensor.type.name}, a type that this "
                "TFLM does not know"
            )
    for op in graph.main.operators:
        if not op.has_older_code:
            raise RefusedError(
                "the file has its code only as a 32-bit number, which this TFLM does not read; "
                "convert the model with a current converter",
                op.label,
                op.index,
            )


def check_prepared(context: NodeContext, rules: Rules) -> None:
    """Mirrors ``RequestScratchBufferInArena``: the handles must lie side by side in the tail."""
    shared = context.state.shared
    if context.scratch_bytes:
        context.ensure(
            not shared.get(_HAS_GAP),
            "it asks for scratch buffers after other operators have asked for persistent ones "
            "behind an earlier scratch buffer, which this TFLM takes for an internal error",
        )
        shared[_HAS_SCRATCH] = True
    elif context.requests and shared.get(_HAS_SCRATCH):
        shared[_HAS_GAP] = True


def replay(prepared: PreparedGraph) -> ArenaReport:
    """Replays the allocations in their order."""
    structs, alignment = prepared.revision.structs, prepared.revision.rules.arena_alignment
    main = prepared.graph.main
    allocator = ArenaAllocator(alignment)

    def persistent(kind: str, struct: str, count: int = 1) -> None:
        size, struct_alignment = structs.layout(struct)
        allocator.persistent(kind, size * count, struct_alignment, count)

    persistent(RUNTIME_OBJECTS, "SimpleMemoryAllocator")
    persistent(PERSISTENT_TENSORS, "TfLiteTensor", len(main.tensors))
    for tensor in main.tensors:
        if tensor.quantization is not None:
            persistent(QUANTIZATION, "TfLiteAffineQuantization")
            for _ in ("zero points", "scales"):
                allocator.persistent(QUANTIZATION, 4 + 4 * len(tensor.quantization.scales), 4)
    persistent(NODES, "NodeAndRegistration", len(main.operators))
    for node in prepared.nodes:
        if node.row.params is not None:
            persistent(BUILTIN_DATA, node.row.params)
    for node in prepared.nodes:
        allocator.requests(PERSISTENT_BUFFERS, node.init_requests)
    for node in prepared.nodes:
        allocator.requests(PERSISTENT_BUFFERS, node.prepare_requests)
        for _ in node.context.scratch_bytes:
            persistent(SCRATCH_HANDLES, "ScratchBufferHandle")
    # Handles are put one below the other, and read upwards from the last.
    scratch = prepared.scratch[::-1]
    lives = lifetimes(prepared.graph, scratch)
    requests = buffer_requests(lives, alignment)
    _need_planning_memory(prepared, allocator, len(requests))
    offsets = plan(requests, first_added_first=True)
    buffers = planned_buffers(prepared.graph, scratch, lives, offsets, alignment)
    allocator.resize_head(head_bytes(buffers))
    for tensor in main.tensors:
        if tensor.is_variable:
            allocator.persistent(VARIABLES, runtime_bytes(tensor, tensor.shape), alignment)
    return arena_report(prepared, allocator, lives, buffers, recorder_objects=())


def replay_sharing(models: Sequence[PreparedGraph]) -> SharedArena:
    """Interpreters have their allocator inside, and no constructor takes one.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        f"TFLM {models[0].revision.name} gives each interpreter an arena of its own; "
        "--shared-arena takes a later one (predict tflm list)"
    )


def _need_planning_memory(prepared: PreparedGraph, allocator: ArenaAllocator, buffers: int) -> None:
    """Mirrors ``FinishTensorAllocation``: lifetimes below the tail, the planner in the rest."""
    structs = prepared.revision.structs
    info_bytes, info_alignment = structs.layout("AllocationInfo")
    info_count = prepared.graph.tensor_count + len(prepared.scratch)
    tail = align_up(allocator.tail + info_bytes * info_count, info_alignment)
    allocator.need(tail + structs.size_of("GreedyPerBuffer") * buffers)
