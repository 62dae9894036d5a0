"""Records, in emulated firmware, which bytes of which tensor each operator reads and writes.

The firmware names the running operator in a word that is watched here. A recorded run must keep
live buffers apart, as TFLM's own planner does; :func:`without_plan` takes a plan out of a model
and leaves every other byte of the file in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import numpy as np

from predictor.emulation.machine import Machine
from predictor.emulation.unicorn.byte_uses import (
    FIRST_READ,
    FIRST_WRITE,
    LAST_READ,
    LAST_WRITE,
    UNUSED,
    Segment,
    SegmentConsumer,
    SegmentLayout,
    Uses,
    Window,
)
from predictor.errors import EmulationError
from predictor.memory.arena_report import ArenaReport
from predictor.memory.lifetimes import called_subgraphs
from predictor.model.graph import Operator
from predictor.model.metadata import OFFLINE_PLAN
from predictor.proof.operator_cycles import MARKER_SYMBOL
from predictor.proof.shadow_memory import (
    TENSOR,
    BufferUse,
    ModelUses,
    NodeKey,
    Step,
    arena_buffers,
    plan_offsets,
)

_NOTHING, _APPLICATION = 0, 1
_OVERRUN_BYTES = 16
"""More than one access can reach beyond the buffer in which it begins."""
_READS, _WRITES = slice(FIRST_READ, LAST_READ + 1), slice(FIRST_WRITE, LAST_WRITE + 1)
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
    from predictor.emulation.unicorn.machine import UnicornMachine

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


class UseComparison:
    """Holds the accesses of a planned model against those of the recorded run, moved by the plan.

    A stale read is judged by the recorded run; this shows that the planned model makes the very
    same accesses, in the same order, at the plan's addresses. ``differences`` names the steps in
    which it does not. ``layout`` and ``consume`` are for :func:`watch_arena`.
    """

    def __init__(self, uses: ModelUses, arena: ArenaReport) -> None:
        self._graph = arena.prepared.graph
        self._offsets = dict(enumerate(plan_offsets(uses, arena)))
        self._index = {buffer.key: index for index, buffer in enumerate(uses.buffers)}
        self._steps = [step for step in uses.steps if step.node is not None]
        self._position = 0
        self._head_bytes = max(arena.nonpersistent_bytes, 1)
        self.differences: list[str] = []

    def layout(self, marker: int) -> list[Window] | None:
        """The whole head while an operator runs."""
        is_operator = marker != _NOTHING and node_of(marker) is not None
        return [Window(0, self._head_bytes)] if is_operator else None

    def consume(self, segment: Segment) -> None:
        position, self._position = self._position, self._position + 1
        step = self._steps[position] if position < len(self._steps) else None
        if step is None or step.node != node_of(segment.marker):
            self.differences.append(f"step {position}: another operator runs")
        elif step.is_whole and not self._is_same(step, segment.uses[0]):
            self.differences.append(step.label)

    def finish(self) -> None:
        """Notes where operators did not run at all."""
        self.differences += [step.label for step in self._steps[self._position :]]

    def _is_same(self, step: Step, found: Uses) -> bool:
        if (found == UNUSED).all() and self._is_in_place(step):
            return True  # RESHAPE and the like copy nothing onto itself
        expected = np.full_like(found, UNUSED)
        for use in step.buffers:
            offset = self._offsets[use.buffer]
            rows = use.uses[: self._head_bytes - offset]
            merged = expected[offset : offset + len(rows)]
            for column in (LAST_READ, LAST_WRITE):
                merged[:, column] = np.maximum(merged[:, column], rows[:, column])
            # As unsigned numbers, UNUSED comes last.
            for column in (FIRST_READ, FIRST_WRITE):
                merged[:, column] = np.minimum(
                    merged[:, column].view(np.uint32), rows[:, column].view(np.uint32)
                ).view(np.int32)
        return bool((expected == found).all())

    def _is_in_place(self, step: Step) -> bool:
        if step.node is None:
            return False
        subgraph, index = step.node
        op = self._graph.subgraphs[subgraph].operators[index]
        keys = [(subgraph, TENSOR, tensor) for tensor in (*op.inputs[:1], *op.outputs[:1])]
        places = {self._offsets[self._index[key]] for key in keys if key in self._index}
        return len(places) == 1


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
        is_whole = bool((segment.others == UNUSED).all())
        return Step(node, self._labels[node], tuple(uses), stray, is_whole)

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
        read, written = self._of_tensors(*source), self._of_tensors(*target)
        for index in dict.fromkeys((*read, *written)):
            uses = np.full((self._buffers[index].size_bytes, 4), UNUSED, dtype=np.int32)
            for indices, columns in ((read, _READS), (written, _WRITES)):
                if index in indices:
                    offset = self._buffers[index].offset
                    uses[:, columns] = others[offset : offset + len(uses), columns]
            yield BufferUse(index, uses, index in read)

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
