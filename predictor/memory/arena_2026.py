"""The arena of current TFLM (since eval tensors, temporary tensors and subgraphs, 2021).

Mirrors ``MicroInterpreter::AllocateTensors`` and ``MicroAllocator``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from predictor.memory.allocator import ArenaAllocator
from predictor.memory.arena_report import (
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
    PlannedBuffer,
    SharedArena,
)
from predictor.memory.greedy_planner import BufferRequest, plan
from predictor.memory.lifetimes import Lifetimes, lifetimes, offline_offsets
from predictor.memory.placement import (
    arena_report,
    buffer_requests,
    head_bytes,
    planned_buffers,
)
from predictor.memory.prepared import PreparedGraph
from predictor.memory.revision import Revision, Rules
from predictor.model.graph import Graph, Quantization
from predictor.model.metadata import ONLINE_PLANNED
from predictor.operators.context import PERSISTENT, NodeContext, Request
from predictor.operators.sizes import align_up, runtime_bytes

NODE_CONTEXT = NodeContext

_ALLOCATOR_OBJECTS = ("SingleArenaBufferAllocator", "GreedyMemoryPlanner", "MicroAllocator")
_SPLIT_OBJECTS = (
    "PersistentArenaBufferAllocator",
    "NonPersistentArenaBufferAllocator",
    *_ALLOCATOR_OBJECTS[1:],
)
"""What stands in their place where ``MicroAllocator::Create`` gets two arenas."""
_RECORDING_OBJECTS = (
    "RecordingSingleArenaBufferAllocator",
    "GreedyMemoryPlanner",
    "RecordingMicroAllocator",
)


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
    tensors = context.subgraph.tensors
    for index in context.op.outputs:
        tensor = tensors[index]
        shape = context.shape(tensor)
        if min(shape, default=1) <= 0 and shape != (0,):
            context.refuse(
                f"output tensor {tensor.index} ({tensor.name}) has the shape {list(shape)}; "
                "dynamic tensors are not supported"
            )


class NodeRequests(Protocol):
    """What one operator asks for when it is initialised and prepared.

    ``params`` names the struct that its parser allocates.
    """

    @property
    def params(self) -> str | None: ...
    @property
    def init_requests(self) -> Sequence[Request]: ...
    @property
    def prepare_requests(self) -> Sequence[Request]: ...
    @property
    def scratch_bytes(self) -> Sequence[int]: ...


class AllocateTensors:
    """The allocations of ``MicroInterpreter::AllocateTensors``, by steps to be called in order.

    They take counts and sizes, so that a caller who knows these needs no graph.

    Args:
        shared: the ``MicroAllocator`` of interpreters before this one, None to create one.
    """

    def __init__(self, revision: Revision, shared: ArenaAllocator | None = None) -> None:
        alignment = revision.rules.arena_alignment
        self.allocator = ArenaAllocator(alignment) if shared is None else shared
        self._created = _ALLOCATOR_OBJECTS if shared is None else ()
        self._structs = revision.structs
        self._reserve = revision.rules.max_scratch_buffers_per_operator

    def _persistent(self, kind: str, struct: str, count: int = 1) -> None:
        size, alignment = self._structs.layout(struct)
        self.allocator.persistent(kind, size * count, alignment, count)

    def prepare(
        self,
        nodes: Sequence[NodeRequests],
        tensor_counts: Sequence[int],
        operator_counts: Sequence[int],
        resources: Sequence[int] = (),
    ) -> None:
        """From the interpreter's own objects to the last operator's Prepare.

        Args:
            nodes: of all subgraphs; the counts are of each subgraph.
            resources: bytes of what an application allocates for resource variables beforehand.
        """
        allocator = self.allocator
        for name in self._created:
            self._persistent(RUNTIME_OBJECTS, name)
        for size in resources:
            allocator.persistent(PERSISTENT_BUFFERS, size, allocator.alignment)
        self._persistent(RUNTIME_OBJECTS, "MicroBuiltinDataAllocator")
        request_bytes = self._structs.size_of("ScratchBufferRequest")
        allocator.resize_head(request_bytes * self._reserve)
        self._persistent(RUNTIME_OBJECTS, "SubgraphAllocations", len(tensor_counts))
        for count in tensor_counts:
            self._persistent(EVAL_TENSORS, "TfLiteEvalTensor", count)
        for count in operator_counts:
            self._persistent(NODES, "NodeAndRegistration", count)
        layout = self._structs.layout
        params = [node.params for node in nodes if node.params is not None]
        allocator.requests(BUILTIN_DATA, [(PERSISTENT, *layout(name)) for name in params])
        init_requests = [request for node in nodes for request in node.init_requests]
        allocator.requests(PERSISTENT_BUFFERS, init_requests)
        scratch_count = 0
        for node in nodes:
            allocator.requests(PERSISTENT_BUFFERS, node.prepare_requests)
            scratch_count += len(node.scratch_bytes)
            allocator.reset_temporary()
            allocator.resize_head(request_bytes * (scratch_count + self._reserve))
        if scratch_count:
            self._persistent(SCRATCH_HANDLES, "ScratchBufferHandle", scratch_count)

    def describe(self, subgraphs: int, allocations: int) -> None:
        """Room for ``AllocationInfo`` of all tensors and scratch buffers."""
        pointer_bytes = self._structs.size_of("size")
        self.allocator.temporary(pointer_bytes * subgraphs, pointer_bytes)
        info_bytes, info_alignment = self._structs.layout("AllocationInfo")
        self.allocator.temporary(info_bytes * allocations, info_alignment)

    def plan(self, requests: Sequence[BufferRequest]) -> list[int]:
        """Mirrors ``CommitStaticMemoryPlan``; returns an offset for each buffer."""
        allocator = self.allocator
        allocator.plan_with(self._structs.size_of("GreedyPerBuffer") * len(requests))
        allocator.reset_temporary()
        allocator.resize_head(0)
        return plan(requests)

    def finish(self, head_bytes: int, *ends: Sequence[Quantization | None]) -> None:
        """The plan becomes the head; inputs and outputs (their quantisations) become tensors."""
        allocator = self.allocator
        allocator.resize_head(head_bytes)
        for quantizations in ends:
            size = self._structs.size_of("ptr") * len(quantizations)
            allocator.persistent(PERSISTENT_BUFFERS, size, allocator.alignment)
            for quantization in quantizations:
                self._persistent(PERSISTENT_TENSORS, "TfLiteTensor")
                if quantization is not None:
                    self._persistent(QUANTIZATION, "TfLiteAffineQuantization")
                    allocator.persistent(QUANTIZATION, 4 + 4 * len(quantization.scales), 4)


def replay(prepared: PreparedGraph) -> ArenaReport:
    """Replays the allocations of ``MicroInterpreter::AllocateTensors`` in their order."""
    steps = AllocateTensors(prepared.revision)
    lives, buffers = _allocate(prepared, steps)
    objects = (_RECORDING_OBJECTS, _SPLIT_OBJECTS)
    return arena_report(prepared, steps.allocator, lives, buffers, *objects)


def replay_sharing(models: Sequence[PreparedGraph]) -> SharedArena:
    """The same of one interpreter after the other, all on one ``MicroAllocator``.

    What persists adds up. The head is taken anew by each model while it is prepared and planned,
    and is in the end as high as the highest plan (``max_head_buffer_usage_``).
    """
    allocator: ArenaAllocator | None = None
    head, tails = 0, []
    for prepared in models:
        steps = AllocateTensors(prepared.revision, allocator)
        before, allocator = 0 if allocator is None else allocator.tail, steps.allocator
        _allocate(prepared, steps, head)
        head = allocator.head
        tails.append(allocator.tail - before)
    required_bytes = 0 if allocator is None else allocator.required_bytes
    alignment = models[0].revision.rules.arena_alignment
    return SharedArena(head, tuple(tails), align_up(required_bytes, alignment))


def _allocate(
    prepared: PreparedGraph, steps: AllocateTensors, least_head_bytes: int = 0
) -> tuple[Lifetimes, tuple[PlannedBuffer, ...]]:
    """Takes the steps with a model; its planned buffers.

    Args:
        least_head_bytes: height of the head that models before have left.
    """
    graph, main = prepared.graph, prepared.graph.main
    allocator = steps.allocator
    steps.prepare(
        prepared.nodes,
        [len(subgraph.tensors) for subgraph in graph.subgraphs],
        [len(subgraph.operators) for subgraph in graph.subgraphs],
        _application_bytes(prepared),
    )
    offline = offline_offsets(graph)
    steps.describe(len(graph.subgraphs), graph.tensor_count + len(prepared.scratch))
    lives = lifetimes(graph, prepared.state, prepared.scratch, offline)
    _allocate_variables(prepared, allocator, offline)
    offsets = steps.plan(buffer_requests(lives, allocator.alignment))
    buffers = planned_buffers(graph, prepared.scratch, lives, offsets, allocator.alignment)
    ends = (
        [main.tensors[i].quantization for i in indices] for indices in (main.inputs, main.outputs)
    )
    steps.finish(max(head_bytes(buffers), least_head_bytes), *ends)
    return lives, buffers


def _application_bytes(prepared: PreparedGraph) -> list[int]:
    """Bytes that an application allocates before it creates an interpreter."""
    asked = {node.row.application_bytes for node in prepared.nodes} - {None}
    state, sizeof = prepared.state, prepared.revision.structs.size_of
    return [size for request in asked if request is not None for size in request(state, sizeof)]


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
