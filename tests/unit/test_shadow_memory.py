"""Tags of arena bytes against a simulation that follows every single access."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.emulation.unicorn.byte_uses import (
    FIRST_READ,
    FIRST_WRITE,
    LAST_READ,
    LAST_WRITE,
    UNUSED,
    Uses,
)
from predictor.proof.shadow_memory import (
    ArenaBuffer,
    BufferUse,
    ModelUses,
    Step,
    faults_without_plan,
    stale_reads,
)

SIZE = 6


@dataclass(frozen=True)
class Access:
    """One byte of a buffer."""

    buffer: int
    byte: int
    is_write: bool


@dataclass(frozen=True)
class Trace:
    """A step's accesses; it reads ``source`` (if any) and writes ``target``."""

    source: int | None
    target: int
    accesses: tuple[Access, ...]


def uses_of(trace: Trace, buffer: int) -> Uses:
    uses = np.full((SIZE, 4), UNUSED, dtype=np.int32)
    for time, access in enumerate(trace.accesses):
        if access.buffer == buffer:
            row = uses[access.byte]
            first, last = (FIRST_WRITE, LAST_WRITE) if access.is_write else (FIRST_READ, LAST_READ)
            if row[first] == UNUSED:
                row[first] = time
            row[last] = time
    return uses


def step_of(index: int, trace: Trace) -> Step:
    used = (
        [(trace.target, False)]
        if trace.source is None
        else [
            (trace.source, True),
            (trace.target, False),
        ]
    )
    return Step(
        (0, index),
        f"step {index}",
        tuple(BufferUse(buffer, uses_of(trace, buffer), is_input) for buffer, is_input in used),
    )


def simulated(traces: tuple[Trace, ...], offsets: tuple[int, ...]) -> set[tuple[int, int, int]]:
    """(step, buffer, byte) of each read of what is not the buffer's own, byte by byte."""
    memory: dict[int, int] = {}
    found = set()
    ever = {(a.buffer, a.byte) for trace in traces for a in trace.accesses if a.is_write}
    for _ in range(2):
        for index, trace in enumerate(traces):
            written = set()
            for access in trace.accesses:
                address = offsets[access.buffer] + access.byte
                if access.is_write:
                    memory[address] = access.buffer
                    written.add((access.buffer, access.byte))
                elif (
                    (access.buffer, access.byte)
                    in (ever if access.buffer == trace.source else written)
                ) and memory.get(address) != access.buffer:
                    found.add((index, access.buffer, access.byte))
    return found


@st.composite
def traces(draw: st.DrawFn) -> tuple[Trace, ...]:
    """A chain of steps: the first writes buffer 0, step k reads buffer k - 1, or an older one."""
    steps = []
    for index in range(draw(st.integers(1, 4))):
        source = None if index == 0 else draw(st.integers(0, index - 1))
        kinds = [Access(index, byte, True) for byte in range(SIZE)]
        if source is not None:
            kinds += [Access(source, byte, False) for byte in range(SIZE)]
            kinds += [Access(index, byte, False) for byte in range(SIZE)]
        steps.append(
            Trace(source, index, tuple(draw(st.lists(st.sampled_from(kinds), max_size=20))))
        )
    return tuple(steps)


@settings(max_examples=400)
@given(traces(), st.lists(st.integers(0, 14), min_size=4, max_size=4))
def test_found_where_every_access_is_followed(steps: tuple[Trace, ...], places: list[int]) -> None:
    offsets = tuple(places[: len(steps)])
    buffers = tuple(
        ArenaBuffer((0, -1, index), f"buffer {index}", offset, SIZE)
        for index, offset in enumerate(offsets)
    )
    uses = ModelUses(buffers, tuple(step_of(index, trace) for index, trace in enumerate(steps)))
    found = {(report.node, report.tensor) for report in stale_reads(uses, offsets) if report.node}
    expected = simulated(steps, offsets)
    assert found == {((0, index), f"buffer {buffer}") for index, buffer, _ in expected}


def test_a_report_says_what_is_read_where_and_what_is_there() -> None:
    """The second step reads byte 2 of the first buffer after it has written there."""
    write = Trace(None, 0, tuple(Access(0, byte, True) for byte in range(SIZE)))
    overlap = Trace(0, 1, (Access(1, 0, True), Access(0, 2, False), Access(0, 3, False)))
    buffers = (
        ArenaBuffer((0, -1, 7), "the input", 0, SIZE),
        ArenaBuffer((0, -1, 8), "out", 2, SIZE),
    )
    uses = ModelUses(buffers, (step_of(0, write), step_of(1, overlap)))
    (report,) = stale_reads(uses, (16, 18))
    assert (report.step, report.node) == ("step 1", (0, 1))
    assert (report.tensor, report.tensor_offset, report.arena_offset) == ("the input", 2, 18)
    assert report.size_bytes == 1
    assert report.found == "out"
    assert str(report) == (
        "step 1 reads 1 bytes of the input from byte 2 (arena + 0x12) that hold out"
    )
    assert not stale_reads(uses, (16, 32))


def test_bytes_that_nothing_writes_are_told_apart() -> None:
    write = Trace(None, 0, tuple(Access(0, byte, True) for byte in range(SIZE - 2)))
    read = Trace(0, 1, tuple(Access(0, byte, False) for byte in range(SIZE)))
    buffers = tuple(ArenaBuffer((0, -1, index), f"t{index}", 16 * index, SIZE) for index in (0, 1))
    uses = ModelUses(buffers, (step_of(0, write), step_of(1, read)))
    assert not stale_reads(uses, (0, 16))
    assert faults_without_plan(uses) == ("step 1 reads 2 bytes of t0 that nothing writes",)
