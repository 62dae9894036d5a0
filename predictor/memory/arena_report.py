"""What a model does to TFLM's arena: the result of a replay of its allocations."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

from predictor.memory.allocator import PersistentAllocation
from predictor.memory.greedy_planner import BufferRequest, lower_bound_bytes
from predictor.memory.prepared import PreparedGraph, messages
from predictor.memory.revision import Revision
from predictor.model.graph import Tensor
from predictor.operators.checks import INT32_MAX
from predictor.operators.sizes import align_up, runtime_bytes
from predictor.records import dataclass

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


@dataclass(frozen=True, slots=True)
class KindUsage:
    """Persistent memory of one kind: bytes asked for, bytes taken with alignment, objects."""

    requested_bytes: int
    used_bytes: int
    count: int


@dataclass(frozen=True, slots=True)
class PlannedBuffer:
    """One buffer of the plan. ``tensor`` is None for scratch buffers.

    ``first_use`` and ``last_use`` are steps as this TFLM counts them. In current TFLM 0 is the
    start of the model and step k runs the k-th operator (operators of called subgraphs and one
    step per call count too); in that of 2020 step 0 runs the first operator.
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


@dataclass(frozen=True, slots=True)
class SplitArena:
    """What a model takes of two arenas, as ``MicroAllocator::Create`` can be given.

    ``persistent_bytes`` and ``nonpersistent_bytes`` are what TFLM uses of each in the end, the
    required ones the smallest, in steps of 16 bytes, with which ``AllocateTensors`` succeeds.
    ``breakdown`` is as in :class:`ArenaReport`.
    """

    persistent_bytes: int
    nonpersistent_bytes: int
    required_persistent_bytes: int
    required_nonpersistent_bytes: int
    breakdown: dict[str, KindUsage]

    @property
    def used_bytes(self) -> int:
        """What ``arena_used_bytes()`` returns."""
        return self.persistent_bytes + self.nonpersistent_bytes

    @property
    def required_bytes(self) -> int:
        return self.required_persistent_bytes + self.required_nonpersistent_bytes


@dataclass(frozen=True, slots=True)
class SharedArena:
    """What models take of one arena whose interpreters share a ``MicroAllocator``.

    ``nonpersistent_bytes`` is the head, as high as the highest plan, ``tails`` what each model adds
    to the tail (the first with the allocator's own objects). ``required_bytes`` is the smallest
    arena, in steps of 16 bytes, in which ``AllocateTensors`` succeeds for one after the other.
    """

    nonpersistent_bytes: int
    tails: tuple[int, ...]
    required_bytes: int

    @property
    def persistent_bytes(self) -> int:
        return sum(self.tails)

    @property
    def used_bytes(self) -> int:
        """What ``arena_used_bytes()`` of each interpreter returns after the last is allocated."""
        return self.nonpersistent_bytes + self.persistent_bytes


@dataclass(frozen=True)
class ArenaReport:
    """What a model does to TFLM's arena.

    ``nonpersistent_bytes`` is the head (the plan's height), ``persistent_bytes`` the tail;
    ``used_bytes`` is their sum, which ``arena_used_bytes()`` returns. ``required_bytes`` is the
    smallest arena, in steps of 16 bytes, in which ``AllocateTensors`` succeeds.
    ``lower_bound_bytes`` is the largest sum of planned buffers alive at one step, reached first
    at step ``peak_step``. ``steps`` tells the operator (subgraph, index) that runs at a step.
    ``recorder_objects`` are the structs that stand in the place of the first persistent objects
    where TFLM records its allocations; none where this TFLM has no recorder. ``split_objects``
    stand there where it gets two arenas; none where it takes one only.
    ``nonpersistent_required_bytes`` is the smallest of the one without persistent memory.
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
    recorder_objects: tuple[str, ...]
    split_objects: tuple[str, ...]
    nonpersistent_required_bytes: int

    def under(self, revision: Revision) -> ArenaReport:
        """The same arena, for a core on which TFLM asks for the same memory."""
        prepared = self.prepared
        if revision is prepared.revision:
            return self
        return replace(self, prepared=replace(prepared, revision=revision))

    @property
    def used_bytes(self) -> int:
        return self.nonpersistent_bytes + self.persistent_bytes

    @cached_property
    def split(self) -> SplitArena | None:
        """The needs of two arenas; None where this TFLM takes one only."""
        if not self.split_objects:
            return None
        # Two allocators stand in the place of one.
        log = self._with_first(self.split_objects, len(self.split_objects) - 1)
        kinds = _by_kind(log)
        persistent = sum(usage.used_bytes for usage in kinds.values())
        alignment = self.prepared.revision.rules.arena_alignment
        return SplitArena(
            persistent,
            self.nonpersistent_bytes,
            align_up(persistent, alignment),
            self.nonpersistent_required_bytes,
            kinds,
        )

    def content_bytes(self, buffer: PlannedBuffer) -> int:
        """What the elements of a tensor take, without alignment; all of a scratch buffer."""
        tensor = buffer.tensor
        if tensor is None:
            return buffer.size_bytes
        key = (buffer.subgraph_index, tensor.index)
        return runtime_bytes(tensor, self.prepared.state.shapes.get(key, tensor.shape))

    @cached_property
    def least_bytes(self) -> int:
        """What the arena takes at least with any kernels, without what they ask for: the tensors
        alive at one step and the runtime's own objects."""
        tensors = [
            BufferRequest(buffer.size_bytes, buffer.first_use, buffer.last_use)
            for buffer in self.buffers
            if buffer.tensor is not None and not buffer.is_offline_planned
        ]
        objects = sum(
            usage.requested_bytes
            for kind, usage in self.breakdown.items()
            if kind not in (PERSISTENT_BUFFERS, SCRATCH_HANDLES)
        )
        return lower_bound_bytes(tensors)[0] + objects

    @property
    def is_representable(self) -> bool:
        """Whether TFLM's 32-bit sizes and offsets hold it."""
        return self.required_bytes <= INT32_MAX

    @cached_property
    def inexact_reasons(self) -> list[str]:
        """Why the figures are not known to be exact; empty where they are."""
        if self.is_representable:
            return self.prepared.inexact_reasons
        reason = "2 GiB and more are beyond the 32-bit sizes and offsets of TFLM: no target has it"
        return [reason, *self.prepared.inexact_reasons]

    @property
    def exact(self) -> bool:
        return not self.inexact_reasons

    @cached_property
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
        bytes can differ from :attr:`breakdown` by a few bytes. Where this TFLM has no recorder,
        the same kinds without the recorder's objects.
        """
        return {kind: self._with_recorder[kind] for kind in RECORDED_KINDS}

    @property
    def recorded_persistent_bytes(self) -> int:
        """The tail that TFLM's ``RecordingMicroAllocator`` prints, its own objects included."""
        return sum(usage.used_bytes for usage in self._with_recorder.values())

    @cached_property
    def _with_recorder(self) -> dict[str, KindUsage]:
        return _by_kind(self._with_first(self.recorder_objects, len(self.recorder_objects)))

    def _with_first(
        self, names: tuple[str, ...], replaced: int
    ) -> tuple[PersistentAllocation, ...]:
        """The log with these runtime objects in place of the first of it."""
        structs = self.prepared.revision.structs
        first = [(RUNTIME_OBJECTS, *structs.layout(name), 1) for name in names]
        return (*first, *self.persistent_log[replaced:])


def _by_kind(log: tuple[PersistentAllocation, ...]) -> dict[str, KindUsage]:
    sums = {kind: [0, 0, 0] for kind in ALL_KINDS}
    tail = 0
    for kind, size, alignment, count in log:
        before, tail = tail, tail + size + alignment - 1 & -alignment
        entry = sums[kind]
        entry[0] += size
        entry[1] += tail - before
        entry[2] += count
    return {kind: KindUsage(*entry) for kind, entry in sums.items()}
