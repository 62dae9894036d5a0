"""Shadow memory: every byte of the arena is tagged with the buffer that wrote it.

An operator that reads a byte of a tensor while the byte's tag is another buffer's is reported. No
data values are looked at. When each operator reads and writes which byte of which tensor is known
from a run in which live buffers lie apart (:class:`ModelUses`); a memory plan moves the buffers,
and the tags are followed through the same accesses at the plan's addresses. So one recorded run
judges any number of plans, and what an access is meant for is known even where the plan lets an
operator's output overlap its input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from predictor.emulation.unicorn.byte_uses import (
    FIRST_READ,
    FIRST_WRITE,
    LAST_READ,
    LAST_WRITE,
    UNUSED,
    Uses,
)
from predictor.memory.arena_report import ArenaReport
from predictor.optimization.stripes.views import View
from predictor.records import dataclass

NodeKey = tuple[int, int]
"""Subgraph and operator index."""
BufferKey = tuple[int, int, int]
"""Subgraph, operator (-1 for tensors), index of the tensor or of the operator's scratch buffer."""
TENSOR = -1
_INVOCATIONS = 2
"""What an inference leaves in the arena must not disturb the next one."""
_NEVER_WRITTEN = -1
_NAME_LENGTH = 48


@dataclass(frozen=True, slots=True)
class ArenaBuffer:
    """A planned buffer. ``size_bytes`` is what a tensor's elements take, without alignment."""

    key: BufferKey
    name: str
    offset: int
    size_bytes: int
    is_variable: bool = False


@dataclass(frozen=True, slots=True)
class BufferUse:
    """How a step uses a buffer; ``uses`` may have rows for bytes behind the buffer.

    ``is_input`` says that what is read must be the buffer's own content; other buffers
    (outputs, scratch) may be read before they are written, as kernels that load whole words do.
    """

    buffer: int
    uses: Uses
    is_input: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of a run: an operator, or the application around Invoke (``node`` is None).

    ``stray_writes`` are bytes of the arena that it wrote outside its buffers. ``is_whole`` says
    that all its accesses to the arena are among ``buffers``.
    """

    node: NodeKey | None
    label: str
    buffers: tuple[BufferUse, ...]
    stray_writes: tuple[int, ...] = ()
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class ModelUses:
    """The accesses of one inference in terms of buffers."""

    buffers: tuple[ArenaBuffer, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class StaleRead:
    """Bytes of a tensor that a step reads although they do not hold the tensor's content.

    Attributes:
        step: the reading operator, in words.
        node: its subgraph and index; None for the application, which reads outputs.
        tensor: what it means to read.
        tensor_offset: the first such byte, counted from the start of the tensor.
        arena_offset: the same byte, counted from the start of the arena.
        size_bytes: how many such bytes there are.
        found: what the first of them holds instead.
    """

    step: str
    node: NodeKey | None
    tensor: str
    tensor_offset: int
    arena_offset: int
    size_bytes: int
    found: str

    def __str__(self) -> str:
        return (
            f"{self.step} reads {self.size_bytes:,} bytes of {self.tensor} from byte "
            f"{self.tensor_offset:,} (arena + {self.arena_offset:#x}) that hold {self.found}"
        )


def arena_buffers(report: ArenaReport) -> tuple[ArenaBuffer, ...]:
    """The buffers of a report's plan, in its order."""
    scratch_count: dict[NodeKey, int] = {}
    found = []
    for planned in report.buffers:
        tensor, size = planned.tensor, report.content_bytes(planned)
        if tensor is not None:
            key = (planned.subgraph_index, TENSOR, tensor.index)
            name = f"tensor {tensor.index} ({_short(tensor.name)})"
            found.append(ArenaBuffer(key, name, planned.offset, size, tensor.is_variable))
        else:
            node = (planned.subgraph_index, planned.operator_index or 0)
            index = scratch_count[node] = scratch_count.get(node, -1) + 1
            found.append(ArenaBuffer((*node, index), planned.name, planned.offset, size))
    return tuple(found)


def _short(name: str) -> str:
    """A tensor's name without what converters append to it when they merge operators."""
    first = name.split(";")[0]
    return first if len(first) <= _NAME_LENGTH else f"...{first[3 - _NAME_LENGTH :]}"


def plan_offsets(uses: ModelUses, report: ArenaReport) -> tuple[int, ...]:
    """The offsets that a plan gives the buffers of a recorded run.

    Raises:
        ValueError: the plan is one of another model.
    """
    offsets = {buffer.key: buffer.offset for buffer in arena_buffers(report)}
    if offsets.keys() != {buffer.key for buffer in uses.buffers}:
        raise ValueError("the plan places other buffers than the run used")
    return tuple(offsets[buffer.key] for buffer in uses.buffers)


def stale_reads(
    uses: ModelUses, offsets: Sequence[int], views: Mapping[int, View] = MappingProxyType({})
) -> tuple[StaleRead, ...]:
    """All reads of what is not the tensor's content, if the buffers lay at these offsets.

    Bytes that no step ever writes have no content that a plan could destroy: see
    :func:`faults_without_plan`.

    Args:
        views: tensors of the main subgraph that hold bytes of others. Where they lie on these, what
            one holds is what the other holds.
    """
    shadow = _Shadow(uses, offsets, views)
    found: dict[StaleRead, None] = {}
    for _ in range(_INVOCATIONS):
        for step in uses.steps:
            found |= dict.fromkeys(shadow.run(step))
    return tuple(found)


def faults_without_plan(uses: ModelUses) -> tuple[str, ...]:
    """What the model's kernels do wrong wherever its tensors lie.

    Reads of bytes that nothing writes, and writes outside of the operator's buffers; TFLM does not
    check either. What they lead to is no fault of a plan.
    """
    written = _written_bytes(uses)
    found: dict[str, None] = {}
    for step in uses.steps:
        if step.stray_writes:
            count = len(step.stray_writes)
            found[f"{step.label} writes {count:,} bytes outside of its tensors"] = None
        for use in step.buffers:
            buffer = uses.buffers[use.buffer]
            is_read = use.uses[: buffer.size_bytes, LAST_READ] != UNUSED
            count = int((is_read & ~written[use.buffer]).sum())
            if use.is_input and count:
                found[
                    f"{step.label} reads {count:,} bytes of {buffer.name} that nothing writes"
                ] = None
    return tuple(found)


def _written_bytes(uses: ModelUses) -> list[npt.NDArray[np.bool_]]:
    """For each buffer, which of its bytes any step writes; a variable is written before."""
    written = [np.full(buffer.size_bytes, buffer.is_variable) for buffer in uses.buffers]
    for step in uses.steps:
        for use in step.buffers:
            size = len(written[use.buffer])
            written[use.buffer] |= use.uses[:size, LAST_WRITE] != UNUSED
    return written


def _parents(
    buffers: Sequence[ArenaBuffer], offsets: Sequence[int], views: Mapping[int, View]
) -> dict[int, int]:
    """For each view that lies on the bytes that it holds, the buffer that these are of."""
    number = {buffer.key: index for index, buffer in enumerate(buffers)}
    found = {}
    for tensor, view in views.items():
        own, parent = number.get((0, TENSOR, tensor)), number.get((0, TENSOR, view.parent))
        if own is None or parent is None:
            continue
        if offsets[own] == offsets[parent] + view.offset_bytes:
            found[own] = parent
    return found


class _Shadow:
    """The tags: for each byte of the arena the index of the buffer that wrote it."""

    def __init__(self, uses: ModelUses, offsets: Sequence[int], views: Mapping[int, View]) -> None:
        buffers = uses.buffers
        self._parents = _parents(buffers, offsets, views)
        self._owners = np.array([self._owner(index) for index in range(len(buffers))], np.int32)
        self._buffers = buffers
        self._written = _written_bytes(uses)
        self._offsets = offsets
        self._height = 32 + max(
            (offset + buffer.size_bytes for buffer, offset in zip(buffers, offsets, strict=True)),
            default=0,
        )
        self._tags = np.full(self._height, _NEVER_WRITTEN, dtype=np.int32)
        for index, buffer in enumerate(buffers):
            if buffer.is_variable:
                self._tags[offsets[index] :][: buffer.size_bytes] = index

    def _owner(self, index: int) -> int:
        """The buffer on whose bytes a view lies; any other buffer itself."""
        while index in self._parents:
            index = self._parents[index]
        return index

    def run(self, step: Step) -> Iterator[StaleRead]:
        """Checks the reads of a step, then tags what it has written."""
        for use in step.buffers:
            yield from self._stale(step, use)
        self._tag(step.buffers)

    def _stale(self, step: Step, use: BufferUse) -> Iterator[StaleRead]:
        buffer, offset = self._buffers[use.buffer], self._offsets[use.buffer]
        columns = use.uses[: buffer.size_bytes].T
        # What has no content of its own cannot be stale: bytes that nothing writes, and those of
        # outputs and scratch buffers that the step itself has not written.
        has_content = self._written[use.buffer] if use.is_input else columns[FIRST_WRITE] != UNUSED
        is_read = (columns[LAST_READ] != UNUSED) & has_content
        if not is_read.any():
            return
        owner = int(self._owners[use.buffer])
        holder = np.full(len(is_read), owner, dtype=np.int32)
        if use.is_input:
            reads_old = is_read & (
                (columns[FIRST_WRITE] == UNUSED) | (columns[FIRST_READ] < columns[FIRST_WRITE])
            )
            tags = self._tags[offset : offset + len(holder)]
            holder[reads_old] = tags[reads_old]
        for other in step.buffers:
            if not self._is_same(use.buffer, other.buffer):
                self._find_overwritten(columns, offset, other, holder)
        holder[~is_read] = owner
        stale = np.flatnonzero(holder != owner)
        if len(stale):
            first = int(stale[0])
            yield StaleRead(
                step=step.label,
                node=step.node,
                tensor=buffer.name,
                tensor_offset=first,
                arena_offset=offset + first,
                size_bytes=len(stale),
                found=self._name(int(holder[first])),
            )

    def _is_same(self, first: int, second: int) -> bool:
        """Whether one buffer lies on the bytes of the other that it holds, or is it."""
        return (
            first == second
            or self._parents.get(first) == second
            or self._parents.get(second) == first
        )

    def _find_overwritten(
        self,
        columns: npt.NDArray[np.int32],
        offset: int,
        other: BufferUse,
        holder: npt.NDArray[np.int32],
    ) -> None:
        """Notes in ``holder`` where another buffer of the step overwrites what is read later."""
        other_offset = self._offsets[other.buffer]
        begin = max(offset, other_offset)
        end = min(offset + len(holder), other_offset + len(other.uses))
        if begin >= end:
            return
        own = columns[:, begin - offset : end - offset]
        foreign = other.uses[begin - other_offset : end - other_offset].T
        is_hit = (foreign[FIRST_WRITE] != UNUSED) & (own[LAST_READ] > foreign[FIRST_WRITE])
        # Written anew behind the other's last write and only then read.
        is_restored = (own[FIRST_WRITE] > foreign[LAST_WRITE]) & (
            own[FIRST_READ] > own[FIRST_WRITE]
        )
        holder[begin - offset : end - offset][is_hit & ~is_restored] = other.buffer

    def _tag(self, uses: Sequence[BufferUse]) -> None:
        written = [use for use in uses if (use.uses[:, LAST_WRITE] != UNUSED).any()]
        times = np.full(self._height, UNUSED, dtype=np.int32)
        for use in written:
            offset = self._offsets[use.buffer]
            last = use.uses[: self._height - offset, LAST_WRITE]
            span = slice(offset, offset + len(last))
            is_later = last > times[span]
            times[span][is_later] = last[is_later]
            self._tags[span][is_later] = self._owners[use.buffer]

    def _name(self, tag: int) -> str:
        return "nothing yet" if tag == _NEVER_WRITTEN else self._buffers[tag].name
