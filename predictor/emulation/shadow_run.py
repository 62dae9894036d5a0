"""Records, in emulated firmware, which bytes of which tensor each operator reads and writes.

The firmware names the running operator in a word that is watched here. A recorded run must keep
live buffers apart, as TFLM's own planner does; :func:`without_plan` takes a plan out of a model
and leaves every other byte of the file in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import numpy as np

from predictor.emulation.byte_uses import (
    FIRST_READ,
    FIRST_WRITE,
    UNUSED,
    Segment,
    SegmentConsumer,
    SegmentLayout,
    Uses,
    Window,
)
from predictor.emulation.machine import Machine
from predictor.emulation.shadow_memory import (
    TENSOR,
    BufferUse,
    ModelUses,
    NodeKey,
    Step,
    arena_buffers,
)
from predictor.errors import EmulationError
from predictor.memory.arena import ArenaReport
from predictor.memory.lifetimes import called_subgraphs
from predictor.model.graph import Operator
from predictor.model.metadata import OFFLINE_PLAN

MARKER_SYMBOL = "runner_running"
_NOTHING, _APPLICATION = 0, 1
_OVERRUN_BYTES = 16
"""More than one access can reach beyond the buffer in which it begins."""
_APPLICATION_LABEL = "the application"


def without_plan(content: bytes) -> bytes:
    """The model with its offline plan renamed, so that TFLM plans its memory itself."""
    name = OFFLINE_PLAN.encode()
    return content.replace(name, b"-" * len(name))


def node_of(marker: int) -> NodeKey | None:
    """The operator that a value of the marker names; None for the application."""
    return None if marker == _APPLICATION else ((marker >> 16) - 1, marker & 0xFFFF)


def watch_arena(
    machine: Machine,
    arena: ArenaReport,
    arena_bytes: int,
    layout: SegmentLayout,
    consumer: SegmentConsumer,
) -> AbstractContextManager[None]:
    """Watches the head of the arena of the runner in a machine while the context lasts.

    Raises:
        EmulationError: the machine is no in-process one, or runs another program.
    """
    from predictor.emulation.unicorn_machine import UnicornMachine

    if not isinstance(machine, UnicornMachine):
        raise EmulationError("shadow memory needs the backend unicorn")
    start = (machine.symbol("__ram_end") - arena_bytes) & ~15
    end = start + max(arena.nonpersistent_bytes, 1)
    marker = machine.symbol(MARKER_SYMBOL)

    @contextmanager
    def watching() -> Iterator[None]:
        recorder = machine.record_uses(start, end, marker, layout, consumer)
        try:
            yield
        finally:
            recorder.remove()

    return watching()


class UseCollector:
    """Turns the segments of a run without overlaps into steps that speak of buffers.

    ``layout`` and ``consume`` are for :func:`watch_arena`.
    """

    def __init__(self, arena: ArenaReport) -> None:
        self._graph = arena.prepared.graph
        self._buffers = arena_buffers(arena)
        self._index = {buffer.key: index for index, buffer in enumerate(self._buffers)}
        self._labels = {
            (subgraph.index, op.index): f"operator {op.index} ({op.label})"
            + (f" of subgraph {subgraph.index}" if subgraph.index else "")
            for subgraph in self._graph.subgraphs
            for op in subgraph.operators
        }
        self._segments: list[Segment] = []

    def layout(self, marker: int) -> list[Window] | None:
        """The windows of the buffers that an operator works with."""
        if marker == _NOTHING:
            return None
        node = node_of(marker)
        used = [] if node is None else [self._buffers[index] for index in self._used_by(node)]
        return [Window(item.offset, item.size_bytes, _OVERRUN_BYTES) for item in used]

    def consume(self, segment: Segment) -> None:
        self._segments.append(segment)

    def uses(self) -> ModelUses:
        """What the run has used, when it has ended."""
        markers = [segment.marker for segment in self._segments]
        before, after = [_APPLICATION, *markers[:-1]], [*markers[1:], _APPLICATION]
        steps = map(self._step, self._segments, before, after)
        return ModelUses(self._buffers, tuple(steps))

    def _step(self, segment: Segment, before: int, after: int) -> Step:
        node = node_of(segment.marker)
        if node is None:
            main = self._graph.main
            moved = self._moved(segment.others, (0, main.outputs), (0, main.inputs))
            return Step(None, _APPLICATION_LABEL, tuple(moved))
        inputs = self._of_tensors(node[0], self._operator(node).inputs)
        uses = [
            BufferUse(index, array, index in inputs)
            for index, array in zip(self._used_by(node), segment.uses, strict=True)
        ]
        stray: tuple[int, ...] = ()
        if self._called(node):
            uses += self._passed_on(segment.others, node, node_of(before), node_of(after))
        else:
            stray = tuple(np.flatnonzero(segment.others[:, FIRST_WRITE] != UNUSED).tolist())
        return Step(node, self._labels[node], tuple(uses), stray)

    def _passed_on(
        self, others: Uses, node: NodeKey, before: NodeKey | None, after: NodeKey | None
    ) -> Iterator[BufferUse]:
        """What control flow moves: out of the subgraph that has run, into that which runs next."""
        called, subgraphs = self._called(node), self._graph.subgraphs
        source = (before[0], subgraphs[before[0]].outputs) if before else (0, ())
        target = (after[0], subgraphs[after[0]].inputs) if after else (0, ())
        yield from self._moved(
            others,
            source if source[0] in called else (0, ()),
            target if target[0] in called else (0, ()),
        )

    def _moved(
        self,
        others: Uses,
        source: tuple[int, Sequence[int]],
        target: tuple[int, Sequence[int]],
    ) -> Iterator[BufferUse]:
        """Reads of some tensors and writes of others, which may have lain at the same place."""
        for index in self._of_tensors(*source):
            yield BufferUse(index, self._part(others, index, FIRST_READ), True)
        for index in self._of_tensors(*target):
            yield BufferUse(index, self._part(others, index, FIRST_WRITE), False)

    def _part(self, others: Uses, index: int, first_column: int) -> Uses:
        """The reads or the writes of a buffer among those of the whole arena."""
        buffer = self._buffers[index]
        part = np.full((buffer.size_bytes, 4), UNUSED, dtype=np.int32)
        columns = slice(first_column, first_column + 2)
        part[:, columns] = others[buffer.offset : buffer.offset + buffer.size_bytes, columns]
        return part

    def _operator(self, node: NodeKey) -> Operator:
        return self._graph.subgraphs[node[0]].operators[node[1]]

    def _called(self, node: NodeKey) -> tuple[int, ...]:
        return called_subgraphs(self._operator(node))

    def _used_by(self, node: NodeKey) -> list[int]:
        """Indices of the buffers that an operator works with."""
        op = self._operator(node)
        found = self._of_tensors(node[0], (*op.inputs, *op.outputs))
        scratch = 0
        while (index := self._index.get((*node, scratch))) is not None:
            found.append(index)
            scratch += 1
        return found

    def _of_tensors(self, subgraph: int, tensors: Sequence[int]) -> list[int]:
        """Indices of the buffers of tensors, without those that have none; each once."""
        keys = dict.fromkeys((subgraph, TENSOR, tensor) for tensor in tensors)
        return [self._index[key] for key in keys if key in self._index]
