"""The planner against a literal walk through TFLM's rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.errors import ModelError
from predictor.memory import greedy_planner
from predictor.memory.greedy_planner import (
    BufferRequest,
    lower_bound_bytes,
    plan,
    planned_bytes,
)
from predictor.model.metadata import ONLINE_PLANNED


def literal_plan(buffers: list[BufferRequest]) -> list[int]:
    """Places buffers by walking over all placed ones in order of offset, without any index."""
    offline = [i for i, b in enumerate(buffers) if b.offline_offset != ONLINE_PLANNED]
    online = [i for i, b in enumerate(buffers) if b.offline_offset == ONLINE_PLANNED][::-1]
    swapped = True
    while swapped:
        swapped = False
        for i in range(1, len(online)):
            if buffers[online[i - 1]].size_bytes < buffers[online[i]].size_bytes:
                online[i - 1], online[i] = online[i], online[i - 1]
                swapped = True
    placed: list[tuple[int, int]] = []
    offsets = [0] * len(buffers)
    for i in offline + online:
        wanted = buffers[i]
        offset = wanted.offline_offset
        if offset == ONLINE_PLANNED:
            offset = 0
            for start, j in placed:
                other = buffers[j]
                if other.first_use > wanted.last_use or wanted.first_use > other.last_use:
                    continue
                if start - offset >= wanted.size_bytes:
                    break
                offset = max(offset, start + other.size_bytes)
        offsets[i] = offset
        position = 0
        while position < len(placed) and placed[position][0] <= offset:
            position += 1
        placed.insert(position, (offset, i))
    return offsets


@st.composite
def requests(draw: st.DrawFn, offline: bool) -> BufferRequest:
    first = draw(st.integers(-1, 30))
    last = draw(st.integers(first, first + draw(st.sampled_from([0, 1, 2, 30]))))
    size = 16 * draw(st.integers(1, 8))
    offset = draw(st.sampled_from([ONLINE_PLANNED, 0, 16, 64, 160])) if offline else ONLINE_PLANNED
    return BufferRequest(size, first, last, offset)


@given(st.lists(requests(offline=False), max_size=40))
def test_plan_equals_the_literal_rules(buffers: list[BufferRequest]) -> None:
    assert plan(buffers) == literal_plan(buffers)


@given(st.lists(requests(offline=True), max_size=40))
def test_offline_buffers_stay_and_the_rest_goes_around_them(buffers: list[BufferRequest]) -> None:
    offsets = plan(buffers)
    assert offsets == literal_plan(buffers)
    for buffer, offset in zip(buffers, offsets, strict=True):
        if buffer.offline_offset != ONLINE_PLANNED:
            assert offset == buffer.offline_offset


@given(st.lists(requests(offline=False), max_size=40))
def test_live_buffers_are_disjoint_and_never_below_the_bound(buffers: list[BufferRequest]) -> None:
    offsets = plan(buffers)
    for i, a in enumerate(buffers):
        for j, b in enumerate(buffers[:i]):
            if a.first_use <= b.last_use and b.first_use <= a.last_use:
                apart = (
                    offsets[i] + a.size_bytes <= offsets[j]
                    or offsets[j] + b.size_bytes <= offsets[i]
                )
                assert apart
    assert planned_bytes(buffers, offsets) >= lower_bound_bytes(buffers)[0]


def test_equal_sizes_are_placed_highest_index_first() -> None:
    buffers = [BufferRequest(16, 0, 1), BufferRequest(16, 0, 1), BufferRequest(16, 0, 1)]
    assert plan(buffers) == [32, 16, 0]


def test_lower_bound_names_the_first_step_of_the_peak() -> None:
    buffers = [BufferRequest(16, 0, 1), BufferRequest(32, 1, 2), BufferRequest(16, 2, 4)]
    assert lower_bound_bytes(buffers) == (48, 1)


def test_nothing_to_plan() -> None:
    assert plan([]) == []
    assert planned_bytes([], []) == 0
    assert lower_bound_bytes([]) == (0, 0)


@given(st.lists(requests(offline=True), max_size=40), st.integers(1, 6))
def test_plan_does_not_hang_on_how_time_is_cut(buffers: list[BufferRequest], events: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(greedy_planner, "_EVENTS", events)
        assert plan(buffers) == literal_plan(buffers)


def test_tensors_of_subgraphs_that_never_run() -> None:
    """All of them live at step -1: each lies above the others, and is found without a walk."""
    sizes = [16 * (1 + number % 7) for number in range(20_000)]
    offsets = plan([BufferRequest(size, -1, -1) for size in sizes])
    assert sorted(offsets)[0] == 0
    assert max(map(sum, zip(offsets, sizes, strict=True))) == sum(sizes)


def test_more_tensors_alive_at_once_than_can_be_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greedy_planner, "MOST_VISITS", 1000)
    buffers = [BufferRequest(16 + 32 * (n % 5), n // 2, 50 + n % 40) for n in range(100)]
    with pytest.raises(ModelError, match="live at once"):
        plan(buffers)
