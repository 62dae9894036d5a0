"""Counts of loops in closed form against kernels walked tap by tap and address by address."""

from __future__ import annotations

from collections import Counter
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from predictor.operators.cmsis_nn import conv, pad
from predictor.operators.context import GraphState
from predictor.operators.loops import Loops, cycle
from predictor.operators.loops.c_library import copy, fill
from predictor.operators.loops.windows import MOST_TAPS, MOST_TAPS_OF_MODEL, Axis, is_of_sane_size

AXES = st.builds(
    Axis, st.integers(1, 20), st.integers(1, 6), st.integers(1, 25), st.integers(1, 3),
    st.integers(1, 3), st.integers(0, 5),
)  # fmt: skip


def walked(axis: Axis) -> list[tuple[int, int, int]]:
    """(output, tap, input position) of each tap, one by one."""
    return [
        (out, tap, out * axis.stride - axis.pad + tap * axis.dilation)
        for out, tap in product(range(axis.out), range(axis.window))
    ]


@given(st.integers(0, 50))
def test_cycle(count: int) -> None:
    expected = Counter(number % 4 for number in range(count))
    assert dict(cycle(count)) == dict(sorted(expected.items()))


@given(AXES)
def test_taps_inside_a_window(axis: Axis) -> None:
    inside = [item for item in walked(axis) if 0 <= item[2] < axis.size]
    assert axis.inside() == len(inside)
    expected = Counter((out % 4, tap, position % 4) for out, tap, position in inside)
    found: Counter[tuple[int, int, int]] = Counter()
    for out, tap, position, times in axis.taps():
        found[out % 4, tap, position % 4] += times
    assert found == expected


@given(AXES)
def test_outputs_at_the_border(axis: Axis) -> None:
    plain = axis._replace(dilation=1)
    outside = {out for out, _, position in walked(plain) if not 0 <= position < plain.size}
    assert list(plain.borders()) == sorted(outside)


@given(AXES, AXES, st.integers(1, 7), st.integers(1, 3), st.sampled_from([1, 2]))
def test_alignments_of_copies(
    rows: Axis, columns: Axis, depth: int, groups: int, type_bytes: int
) -> None:
    patch = conv.Patch(depth * groups, depth, depth * (groups - 1), type_bytes)
    copies: Counter[tuple[int, int]] = Counter()
    fills: Counter[int] = Counter()
    for (out_y, tap_y, y), (out_x, tap_x, x) in product(walked(rows), walked(columns)):
        second = (out_y * columns.out + out_x) % 2 * rows.window * columns.window
        target = (second + tap_y * columns.window + tap_x) * depth * type_bytes % 4
        source = ((y * columns.size + x) * patch.channels + patch.first) * type_bytes % 4
        if 0 <= y < rows.size and 0 <= x < columns.size:
            copies[source, target] += 1
        else:
            fills[target] += 1
    found = conv._alignments(rows, columns, patch)
    assert [+item for item in found] == [copies, fills]


def _padded(shape: tuple[int, int, int, int], paddings: list[int]) -> Loops:
    """arm_pad_s8, one fill or copy after the other."""
    n, h, w, c = shape
    pad_n, pad_h, pad_w, pad_c = zip(paddings[::2], paddings[1::2], strict=True)
    out_c = c + sum(pad_c)
    row = (w + sum(pad_w)) * out_c
    made, address = Loops(), 0
    made.add("pad_s8", call=1, batch=n, row=n * h)

    def filled(size: int) -> None:
        nonlocal address
        fill(made, 1, size, address % 4)
        address += size

    def copied(size: int, source: int) -> None:
        nonlocal address
        copy(made, 1, size, source % 4, address % 4)
        address += size

    filled((h + sum(pad_h)) * row * pad_n[0])
    for index in range(n * h):
        if index % h == 0:
            filled(row * pad_h[0])
        filled(out_c * pad_w[0])
        if out_c == c:
            copied(w * c, index * w * c)
        else:
            made.add("pad_s8", pixel=w)
            for pixel in range(w):
                filled(pad_c[0])
                copied(c, (index * w + pixel) * c)
                filled(pad_c[1])
        filled(out_c * pad_w[1])
        if index % h == h - 1:
            filled(row * pad_h[1])
    filled((h + sum(pad_h)) * row * pad_n[1])
    return made


@given(
    st.tuples(*[st.integers(1, 7)] * 4),
    st.lists(st.integers(0, 3), min_size=8, max_size=8),
)
def test_padding(shape: tuple[int, int, int, int], paddings: list[int]) -> None:
    found, expected = pad.loops_s8(shape, paddings), _padded(shape, paddings)
    assert found.terms == expected.terms
    assert found.unaligned_loads == expected.unaligned_loads


def test_windows_are_gone_through_in_no_time() -> None:
    """One window may not be too long, nor all those of a model together."""
    plain = Axis(64, 3, 64, 1, 1, 1)
    assert is_of_sane_size(GraphState(), plain, plain)
    long = Axis(1 << 20, MOST_TAPS + 1, 1 << 20, 1, 1, 0)
    assert not is_of_sane_size(GraphState(), plain, long)
    beyond = plain._replace(out=66)
    assert not is_of_sane_size(GraphState(), beyond, plain)
    state = GraphState()
    longest = Axis(MOST_TAPS, MOST_TAPS, 1, 1, 1, 0)
    for _ in range(MOST_TAPS_OF_MODEL // MOST_TAPS):
        assert is_of_sane_size(state, longest, plain)
    assert not is_of_sane_size(state, longest, plain)
