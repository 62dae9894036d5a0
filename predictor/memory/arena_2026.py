"""The arena of current TFLM (since eval tensors, temporary tensors and subgraphs, 2021).

Mirrors ``MicroInterpreter::AllocateTensors`` and ``MicroAllocator``.
"""

from __future__ import annotations

from predictor.memory.allocator import ArenaAllocator
from predictor.memory.arena import (
    BUILTIN_DATA,
    EVAL_TENSORS,
    NODES,
    PERSISTENT_BUFFERS,
    PERSISTENT_TENSORS,
    QUANTIZATION,
    RUNTIME_OBJECTS,
    SCRATCH_HANDLES,
    VARIABLES,
    ArenaReport,
)
from predictor.memory.greedy_planner import plan
from predictor.memory.lifetimes import Lifetimes, lifetimes, offline_offsets
from predictor.memory.placement import (
    arena_report,
    buffer_requests,
    head_bytes,
    planned_buffers,
    replay_requests,
)
from predictor.memory.preparation import PreparedGraph
from predictor.memory.revision import OURS, Rules
from predictor.model.graph import Graph
from predictor.model.metadata import ONLINE_PLANNED
from predictor.operators import registry
from predictor.operators.context import NodeContext
from predictor.operators.families import FAMILY_OF
from predictor.operators.ours.tables import CUSTOM, DROP_IN, runs_builtin
from predictor.operators.registry import OperatorTable
from predictor.operators.sizes import runtime_bytes

NODE_CONTEXT = NodeContext

_ALLOCATOR_OBJECTS = ("SingleArenaBufferAllocator", "GreedyMemoryPlanner", "MicroAllocator")
_RECORDING_OBJECTS = (
    "RecordingSingleArenaBufferAllocator",
    "GreedyMemoryPlanner",
    "RecordingMicroAllocator",
)


def operators(graph: Graph, kernels: str) -> tuple[OperatorTable, ...]:
    """The kernel set ``ours`` runs device models by custom operators, others by builtin ones."""
    if kernels != OURS:
        return (registry.OPERATORS,)
    return (DROP_IN if runs_builtin(graph) else CUSTOM), registry.OPERATORS


def check_graph(graph: Graph) -> None:
    """Nothing is refused before the operators."""


def check_prepared(context: NodeContext, rules: Rules) -> None:
    """Mirrors ``kMaxScratchBuffersPerOp`` and ``CheckDynamicTensors``.

    Outputs must have positive dims after Prepare.

    Raises:
        RefusedError: TFLM refuses the model.
    """
    limit = rules.max_scratch_buffers_per_operator
    if len(context.scratch_bytes) > limit:
        context.refuse(f"it asks for more than {limit} scratch buffers")
    for position in range(len(context.op.outputs)):
        tensor = context.output(position)
        if tensor is None:
            continue
        shape = context.shape(tensor)
        if shape != (0,) and any(dim <= 0 for dim in shape):
            context.refuse(
                f"output tensor {tensor.index} ({tensor.name}) has the shape {list(shape)}; "
                "dynamic tensors are not supported"
            )


def replay(prepared: PreparedGraph) -> ArenaReport:
    """Replays the allocations of ``MicroInterpreter::AllocateTensors`` in their order."""
    graph, revision = prepared.graph, prepared.revision
    structs, alignment = revision.structs, revision.rules.arena_alignment
    allocator = ArenaAllocator(alignment)

    def persistent(kind: str, struct: str, count: int = 1) -> None:
        size, struct_alignment = structs.layout(struct)
        allocator.persistent(kind, size * count, struct_alignment, count)

    for name in _ALLOCATOR_OBJECTS:
        persistent(RUNTIME_OBJECTS, name)
    _create_resource_variables(prepared, allocator)
    persistent(RUNTIME_OBJECTS, "MicroBuiltinDataAllocator")
    request_bytes = structs.size_of("ScratchBufferRequest")
    reserve = revision.rules.max_scratch_buffers_per_operator
    allocator.resize_head(request_bytes * reserve)
    persistent(RUNTIME_OBJECTS, "SubgraphAllocations", len(graph.subgraphs))
    for subgraph in graph.subgraphs:
        persistent(EVAL_TENSORS, "TfLiteEvalTensor", len(subgraph.tensors))
    for subgraph in graph.subgraphs:
        persistent(NODES, "NodeAndRegistration", len(subgraph.operators))
    for node in prepared.nodes:
        if node.row.params is not None:
            persistent(BUILTIN_DATA, node.row.params)
    for node in prepared.nodes:
        replay_requests(allocator, node.init_requests)
    scratch_count = 0
    for node in prepared.nodes:
        replay_requests(allocator, node.prepare_requests)
        scratch_count += len(node.context.scratch_bytes)
        allocator.reset_temporary()
        allocator.resize_head(request_bytes * (scratch_count + reserve))
    if scratch_count:
        persistent(SCRATCH_HANDLES, "ScratchBufferHandle", scratch_count)
    lives, offsets = _commit_plan(prepared, allocator)
    buffers = planned_buffers(graph, prepared.scratch, lives, offsets, alignment)
    allocator.resize_head(head_bytes(buffers))
    for tensors in (graph.main.inputs, graph.main.outputs):
        size = structs.size_of("ptr") * len(tensors)
        allocator.persistent(PERSISTENT_BUFFERS, size, alignment)
        for index in tensors:
            persistent(PERSISTENT_TENSORS, "TfLiteTensor")
            quantization = graph.main.tensors[index].quantization
            if quantization is not None:
                persistent(QUANTIZATION, "TfLiteAffineQuantization")
                allocator.persistent(QUANTIZATION, 4 + 4 * len(quantization.scales), 4)
    return arena_report(prepared, allocator, lives, buffers, _RECORDING_OBJECTS)


def _create_resource_variables(prepared: PreparedGraph, allocator: ArenaAllocator) -> None:
    """What an application does before it creates an interpreter for a model with variables."""
    if all(FAMILY_OF.get(node.row.name) != "variables" for node in prepared.nodes):
        return
    from predictor.operators.variables import resource_variable_requests

    sizeof = prepared.revision.structs.size_of
    for size in resource_variable_requests(prepared.graph, sizeof):
        allocator.persistent(PERSISTENT_BUFFERS, size, allocator.alignment)


def _commit_plan(prepared: PreparedGraph, allocator: ArenaAllocator) -> tuple[Lifetimes, list[int]]:
    """Mirrors ``CommitStaticMemoryPlan``; returns an offset for each planned allocation."""
    graph, revision = prepared.graph, prepared.revision
    structs, alignment = revision.structs, revision.rules.arena_alignment
    offline = offline_offsets(graph)
    pointer_bytes = structs.size_of("size")
    allocator.temporary(pointer_bytes * len(graph.subgraphs), pointer_bytes)
    info_bytes, info_alignment = structs.layout("AllocationInfo")
    info_count = graph.tensor_count + len(prepared.scratch)
    allocator.temporary(info_bytes * info_count, info_alignment)
    lives = lifetimes(graph, prepared.state, prepared.scratch, offline)
    _allocate_variables(prepared, allocator, offline)
    requests = buffer_requests(lives, alignment)
    allocator.plan_with(structs.size_of("GreedyPerBuffer") * len(requests))
    allocator.reset_temporary()
    allocator.resize_head(0)
    return lives, plan(requests)


def _allocate_variables(
    prepared: PreparedGraph, allocator: ArenaAllocator, offline: tuple[int, ...] | None
) -> None:
    """Mirrors ``AllocateVariables``, which indexes the offline plan per subgraph."""
    for subgraph in prepared.graph.subgraphs:
        for tensor in subgraph.tensors:
            if not tensor.is_variable:
                continue
            if offline is None or offline[tensor.index] == ONLINE_PLANNED:
                key = (subgraph.index, tensor.index)
                size = runtime_bytes(tensor, prepared.state.shapes.get(key, tensor.shape))
                allocator.persistent(VARIABLES, size, allocator.alignment)
