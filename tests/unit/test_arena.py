"""The arena's replay: against an arena of bytes, and against a model counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.memory.allocator import ArenaAllocator
from predictor.memory.arena import arena, replay
from predictor.memory.arena_report import ALL_KINDS, NODES, VARIABLES
from predictor.memory.preparation import prepare
from predictor.memory.revision import load_revision
from predictor.model.builder import ModelBuilder
from predictor.model.graph import Graph
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_reader import read_graph
from predictor.operators.context import PERSISTENT, TEMPORARY
from predictor.operators.sizes import align_up

ALIGNMENT = 16
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("persistent"), st.integers(0, 90), st.sampled_from([1, 4, 8, 16])),
        st.tuples(st.just("temporary"), st.integers(0, 90), st.sampled_from([1, 4, 8, 16])),
        st.tuples(st.just("resize_head"), st.integers(0, 200)),
        st.tuples(st.just("reset_temporary")),
    ),
    max_size=25,
)


class _Bytes:
    """An arena whose every byte has an owner; a step that takes another's byte fails."""

    def __init__(self, size: int) -> None:
        self.size, self.head, self.temp, self.tail = size, 0, 0, size

    def persistent(self, size_bytes: int, alignment: int) -> None:
        self.tail = (self.tail - size_bytes) // alignment * alignment
        self._check()

    def temporary(self, size_bytes: int, alignment: int) -> None:
        while self.temp % alignment:
            self.temp += 1
        self.temp += size_bytes
        self._check()

    def resize_head(self, size_bytes: int) -> None:
        self.head = self.temp = size_bytes
        self._check()

    def reset_temporary(self) -> None:
        self.temp = self.head

    def _check(self) -> None:
        if not set(range(self.temp)).isdisjoint(range(self.tail, self.size)) or self.tail < 0:
            raise MemoryError
        if self.temp > self.size:
            raise MemoryError


def _succeeds(steps: list[tuple[object, ...]], size: int) -> bool:
    memory = _Bytes(size)
    try:
        for name, *arguments in steps:
            getattr(memory, str(name))(*arguments)
    except MemoryError:
        return False
    return True


@settings(deadline=None)
@given(STEPS)
def test_what_is_required_is_the_least_that_succeeds(steps: list[tuple[object, ...]]) -> None:
    allocator = ArenaAllocator(ALIGNMENT)
    calls: dict[str, Callable[..., None]] = {
        "persistent": lambda size, alignment: allocator.persistent("kind", size, alignment),
        "temporary": allocator.temporary,
        "resize_head": allocator.resize_head,
        "reset_temporary": allocator.reset_temporary,
    }
    for name, *arguments in steps:
        calls[str(name)](*arguments)
    required = align_up(allocator.required_bytes, ALIGNMENT)
    assert _succeeds(steps, required)
    assert required == 0 or not _succeeds(steps, required - ALIGNMENT)
    assert allocator.nonpersistent_required_bytes <= allocator.required_bytes


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from([PERSISTENT, TEMPORARY]), st.integers(0, 90), st.sampled_from([4, 8, 16])
    ),
    max_size=12,
)


@given(st.integers(0, 100), REQUESTS)
def test_requests_at_once_are_requests_one_by_one(
    head_bytes: int, requests: list[tuple[int, int, int]]
) -> None:
    whole, single = ArenaAllocator(ALIGNMENT), ArenaAllocator(ALIGNMENT)
    for allocator in (whole, single):
        allocator.resize_head(head_bytes)
    whole.requests("kind", requests)
    for memory, size_bytes, alignment in requests:
        if memory == PERSISTENT:
            single.persistent("kind", size_bytes, alignment)
        else:
            single.temporary(size_bytes, alignment)
    names = ("head", "temp", "tail", "required_bytes", "nonpersistent_required_bytes")
    assert [getattr(whole, name) for name in names] == [getattr(single, name) for name in names]
    assert whole.persistent_log == single.persistent_log


def _relu() -> Graph:
    builder = ModelBuilder("model", seed=1)
    builder.output(builder.relu(builder.input((1, 100))))
    return read_graph(builder.build())


def test_a_model_counted_by_hand() -> None:
    """One RELU of 100 bytes: input and output live side by side, each to a multiple of 16."""
    report = arena(_relu(), load_revision(kernels="reference"))
    assert report.nonpersistent_bytes == 2 * 112
    places = {(buffer.offset, buffer.size_bytes) for buffer in report.buffers}
    assert places == {(0, 112), (112, 112)}
    assert report.lower_bound_bytes == 2 * 112
    assert report.used_bytes == report.nonpersistent_bytes + report.persistent_bytes
    assert report.breakdown[NODES].count == 1
    assert VARIABLES not in report.breakdown or report.breakdown[VARIABLES].count == 0


@pytest.mark.parametrize("seed", range(12))
def test_what_a_report_says_agrees_with_itself(seed: int) -> None:
    report = arena(read_graph(random_graph(seed).build()), load_revision())
    assert set(report.breakdown) <= set(ALL_KINDS)
    used = sum(kind.used_bytes for kind in report.breakdown.values())
    assert used == report.persistent_bytes
    for kind in report.breakdown.values():
        assert kind.requested_bytes <= kind.used_bytes
    assert report.required_bytes % ALIGNMENT == 0
    assert report.required_bytes >= report.used_bytes
    assert report.lower_bound_bytes <= report.nonpersistent_bytes
    ends = [buffer.offset + buffer.size_bytes for buffer in report.buffers]
    assert max(ends, default=0) == report.nonpersistent_bytes
    alive = [
        (a, b)
        for i, a in enumerate(report.buffers)
        for b in report.buffers[i + 1 :]
        if a.first_use <= b.last_use and b.first_use <= a.last_use
    ]
    assert all(
        a.offset + a.size_bytes <= b.offset or b.offset + b.size_bytes <= a.offset for a, b in alive
    )


def test_a_replay_is_the_same_each_time() -> None:
    prepared = prepare(_relu(), load_revision())
    first, second = replay(prepared), replay(prepared)
    assert first == replace(second, buffers=first.buffers)
    assert first.buffers == second.buffers
