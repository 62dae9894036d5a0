"""TFLM's arena, to the byte: what ``AllocateTensors`` takes and what it needs to succeed.

Mirrors ``MicroInterpreter::AllocateTensors`` and ``MicroAllocator``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from predictor.memory.allocator import ArenaAllocator, PersistentAllocation
from predictor.memory.greedy_planner import (
    BufferRequest,
    lower_bound_bytes,
    plan,
)
from predictor.memory.lifetimes import Lifetimes, lifetimes, offline_offsets
from predictor.memory.preparation import PreparedGraph, messages, prepare
from predictor.memory.revision import Revision
from predictor.model.graph import Graph, Tensor
from predictor.model.metadata import ONLINE_PLANNED
from predictor.operators.context import PERSISTENT, Request
from predictor.operators.families import FAMILY_OF
from predictor.operators.sizes import align_up, runtime_bytes

# Kinds of persistent allocations. The first six are TFLM's RecordedAllocationType.
EVAL_TENSORS = "kTfLiteEvalTensorData"
PERSISTENT_TENSORS = "kPersistentTfLiteTensorData"
QUANTIZATION = "kPersistentTfLiteTensorQuantizationData"
PERSISTENT_BUFFERS = "kPersistentBufferData"
VARIABLES = "kTfLiteTensorVariableBufferData"
NODES = "kNodeAndRegistrationArray"
OP_DATA = "kOpData"
RECORDED_KINDS = (
    EVAL_TENSORS,
    PERSISTENT_TENSORS,
    QUANTIZATION,
    PERSISTENT_BUFFERS,
    VARIABLES,
    NODES,
    OP_DATA,
)
# Kinds that TFLM's recorder does not name.
RUNTIME_OBJECTS = "runtimeObjects"
BUILTIN_DATA = "builtinData"
SCRATCH_HANDLES = "scratchBufferHandles"
ALL_KINDS = (*RECORDED_KINDS, RUNTIME_OBJECTS, BUILTIN_DATA, SCRATCH_HANDLES)

_ALLOCATOR_OBJECTS = ("SingleArenaBufferAllocator", "GreedyMemoryPlanner", "MicroAllocator")
_RECORDING_OBJECTS = (
    "RecordingSingleArenaBufferAllocator",
    "GreedyMemoryPlanner",
    "RecordingMicroAllocator",
)


@dataclass(frozen=True, slots=True)
class KindUsage:
    """Persistent memory of one kind: bytes asked for, bytes taken with alignment, objects."""

    requested_bytes: int
    used_bytes: int
    count: int


@dataclass(frozen=True, slots=True)
class PlannedBuffer:
    """One buffer of the plan. ``tensor`` is None for scratch buffers.

    ``first_use`` and ``last_use`` are steps: 0 is the start of the model, step k runs the k-th
    operator (operators of called subgraphs and one step per call count too).
    """

    offset: int
    size_bytes: int
    first_use: int
    last_use: int
    subgraph_index: int
    tensor: Tensor | None
    operator_index: int | None
    is_offline_planned: bool

    @property
    def name(self) -> str:
        if self.tensor is not None:
            return self.tensor.name
        return f"scratch of operator {self.operator_index}"


@dataclass(frozen=True)
class ArenaReport:
    """What a model does to TFLM's arena.

    ``nonpersistent_bytes`` is the head (the plan's height), ``persistent_bytes`` the tail;
    ``used_bytes`` is their sum, which ``arena_used_bytes()`` returns. ``required_bytes`` is the
    smallest arena, in steps of 16 bytes, in which ``AllocateTensors`` succeeds.
    ``lower_bound_bytes`` is the largest sum of planned buffers alive at one step, reached first
    at step ``peak_step``.
    """

    prepared: PreparedGraph
    nonpersistent_bytes: int
    persistent_bytes: int
    required_bytes: int
    lower_bound_bytes: int
    peak_step: int
    buffers: tuple[PlannedBuffer, ...]
    steps: MappingProxyType[int, tuple[int, int]]
    persistent_log: tuple[PersistentAllocation, ...]

    @property
    def used_bytes(self) -> int:
        return self.nonpersistent_bytes + self.persistent_bytes

    @property
    def exact(self) -> bool:
        return not self.prepared.inexact_reasons

    @property
    def invoke_errors(self) -> list[str]:
        """Operators that prepare but fail each time they run, in subgraphs that do run."""
        called = {subgraph for subgraph, _ in self.steps.values()}
        nodes = (node for node in self.prepared.nodes if node.context.subgraph.index in called)
        return messages(nodes, "invoke_errors")

    @cached_property
    def breakdown(self) -> dict[str, KindUsage]:
        """Persistent bytes by kind; the ``used_bytes`` sum to ``persistent_bytes``."""
        return _by_kind(self.persistent_log)

    @property
    def recorded(self) -> dict[str, KindUsage]:
        """What TFLM's ``RecordingMicroAllocator`` prints for this model.

        The recorder's own objects are larger, which shifts the alignment of what follows: used
        bytes can differ from :attr:`breakdown` by a few bytes.
        """
        return {kind: self._with_recorder[kind] for kind in RECORDED_KINDS}

    @property
    def recorded_persistent_bytes(self) -> int:
        """The tail that TFLM's ``RecordingMicroAllocator`` prints, its own objects included."""
        return sum(usage.used_bytes for usage in self._with_recorder.values())

    @cached_property
    def _with_recorder(self) -> dict[str, KindUsage]:
        structs = self.prepared.revision.structs
        first = [
            PersistentAllocation(RUNTIME_OBJECTS, *structs.layout(name))
            for name in _RECORDING_OBJECTS
        ]
        return _by_kind((*first, *self.persistent_log[len(_ALLOCATOR_OBJECTS) :]))


def _by_kind(log: tuple[PersistentAllocation, ...]) -> dict[str, KindUsage]:
    sums = {kind: [0, 0, 0] for kind in ALL_KINDS}
    tail = 0
    for kind, size, alignment, count in log:
        before, tail = tail, align_up(tail + size, alignment)
        entry = sums[kind]
        entry[0] += size
        entry[1] += tail - before
        entry[2] += count
    return {kind: KindUsage(*entry) for kind, entry in sums.items()}


def arena(graph: Graph, revision: Revision) -> ArenaReport:
    """Predicts the arena of a model.

    Raises:
        RefusedError: TFLM refuses the model; says which operator and why.
    """
    return replay(prepare(graph, revision))


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
        _replay_requests(allocator, node.init_requests)
    scratch_count = 0
    for node in prepared.nodes:
        _replay_requests(allocator, node.prepare_requests)
        scratch_count += len(node.context.scratch_bytes)
        allocator.reset_temporary()
        allocator.resize_head(request_bytes * (scratch_count + reserve))
    if scratch_count:
        persistent(SCRATCH_HANDLES, "ScratchBufferHandle", scratch_count)
    lives, offsets = _commit_plan(prepared, allocator)
    buffers = _planned_buffers(prepared, lives, offsets)
    height = max((buffer.offset + buffer.size_bytes for buffer in buffers), default=0)
    allocator.resize_head(height)
    for tensors in (graph.main.inputs, graph.main.outputs):
        size = structs.size_of("ptr") * len(tensors)
        allocator.persistent(PERSISTENT_BUFFERS, size, alignment)
        for index in tensors:
            persistent(PERSISTENT_TENSORS, "TfLiteTensor")
            quantization = graph.main.tensors[index].quantization
            if quantization is not None:
                persistent(QUANTIZATION, "TfLiteAffineQuantization")
                allocator.persistent(QUANTIZATION, 4 + 4 * len(quantization.scales), 4)
    bound, peak_step = lower_bound_bytes(
        [BufferRequest(b.size_bytes, b.first_use, b.last_use) for b in buffers]
    )
    return ArenaReport(
        prepared=prepared,
        nonpersistent_bytes=height,
        persistent_bytes=allocator.tail,
        required_bytes=align_up(allocator.required_bytes, alignment),
        lower_bound_bytes=bound,
        peak_step=peak_step,
        buffers=buffers,
        steps=MappingProxyType(lives.steps),
        persistent_log=tuple(allocator.persistent_log),
    )


def _create_resource_variables(prepared: PreparedGraph, allocator: ArenaAllocator) -> None:
    """What an application does before it creates an interpreter for a model with variables."""
    if all(FAMILY_OF.get(node.row.name) != "variables" for node in prepared.nodes):
        return
    from predictor.operators.variables import resource_variable_requests

    sizeof = prepared.revision.structs.size_of
    for size in resource_variable_requests(prepared.graph, sizeof):
        allocator.persistent(PERSISTENT_BUFFERS, size, allocator.alignment)


def _replay_requests(allocator: ArenaAllocator, requests: list[Request]) -> None:
    for kind, size, alignment in requests:
        if kind == PERSISTENT:
            allocator.persistent(PERSISTENT_BUFFERS, size, alignment)
        else:
            allocator.temporary(size, alignment)


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
    requests = [
        BufferRequest(
            align_up(item.size_bytes, alignment), item.first_use, item.last_use, item.offline_offset
        )
        for item in lives.allocations
        if item.needs_allocating
    ]
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


def _planned_buffers(
    prepared: PreparedGraph, lives: Lifetimes, offsets: list[int]
) -> tuple[PlannedBuffer, ...]:
    alignment = prepared.revision.rules.arena_alignment
    owners: list[tuple[int, Tensor | None, int | None]] = [
        (subgraph.index, tensor, None)
        for subgraph in prepared.graph.subgraphs
        for tensor in subgraph.tensors
    ]
    owners += [(item.subgraph_index, None, item.operator_index) for item in prepared.scratch]
    remaining = iter(offsets)
    return tuple(
        PlannedBuffer(
            offset=next(remaining),
            size_bytes=align_up(item.size_bytes, alignment),
            first_use=item.first_use,
            last_use=item.last_use,
            subgraph_index=subgraph_index,
            tensor=tensor,
            operator_index=operator_index,
            is_offline_planned=item.offline_offset != ONLINE_PLANNED,
        )
        for item, (subgraph_index, tensor, operator_index) in zip(
            lives.allocations, owners, strict=True
        )
        if item.needs_allocating
    )
