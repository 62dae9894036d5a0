"""Distances from loop orders: against loops walked literally, and against traced kernels."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from predictor.memory.arena import arena
from predictor.memory.revision import load_revision
from predictor.model.builder import ModelBuilder
from predictor.model.tflite_reader import read_graph
from predictor.operators.access_order import Windows, by_position
from predictor.operators.reference import conv, depthwise_conv
from predictor.optimization.overlap import OperatorDistance, distance_of
from tests.shared_data import TRUTH, needs_shared

Access = tuple[str, int]
"""("r", input element) or ("w", output element)."""


def literal_distance(accesses: Iterator[Access]) -> int:
    """D by its definition: no output element may hit an input element that is read later."""
    order = list(accesses)
    last_read = {element: time for time, (kind, element) in enumerate(order) if kind == "r"}
    first_write: dict[int, int] = {}
    for time, (kind, element) in enumerate(order):
        if kind == "w":
            first_write.setdefault(element, time)
    pairs = product(first_write.items(), last_read.items())
    return max([0, *(o - i + 1 for (o, wrote), (i, read) in pairs if wrote < read)])


def window_reads(windows: Windows, image: int, y: int, x: int) -> Iterator[int]:
    """Pixels under the window of an output position."""
    height, width = windows.in_size
    for tap_y, tap_x in product(*map(range, windows.filter_size)):
        row = y * windows.stride[0] - windows.padding[0] + tap_y * windows.dilation[0]
        column = x * windows.stride[1] - windows.padding[1] + tap_x * windows.dilation[1]
        if 0 <= row < height and 0 <= column < width:
            yield (image * height + row) * width + column


def positions(windows: Windows) -> Iterator[tuple[int, tuple[int, int, int]]]:
    sizes = (windows.images, *windows.out_size)
    yield from enumerate(product(*map(range, sizes)))


def convolve(windows: Windows, groups: int) -> Iterator[Access]:
    per_in, per_out = windows.in_channels // groups, windows.out_channels // groups
    for number, where in positions(windows):
        for channel in range(windows.out_channels):
            first = channel // per_out * per_in
            for pixel in window_reads(windows, *where):
                for depth in range(first, first + per_in):
                    yield "r", pixel * windows.in_channels + depth
            yield "w", number * windows.out_channels + channel


def depthwise(windows: Windows, multiplier: int) -> Iterator[Access]:
    for number, where in positions(windows):
        for channel in range(windows.out_channels):
            for pixel in window_reads(windows, *where):
                yield "r", pixel * windows.in_channels + channel // multiplier
            yield "w", number * windows.out_channels + channel


@st.composite
def shapes(draw: st.DrawFn) -> Windows:
    in_size = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    filter_size = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 3)]))
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    out_size = []
    for axis in (0, 1):
        reach = (filter_size[axis] - 1) * dilation[axis] + 1
        out_size.append((in_size[axis] + 2 * padding[axis] - reach) // stride[axis] + 1)
    assume(min(out_size) >= 1)
    channels = draw(st.integers(1, 6))
    return Windows(
        draw(st.integers(1, 2)),
        in_size,
        channels,
        (out_size[0], out_size[1]),
        channels,
        filter_size,
        stride,
        dilation,
        padding,
    )


@given(shapes(), st.integers(1, 3), st.integers(1, 3))
@settings(deadline=None)
def test_reference_convolution(shape: Windows, groups: int, per_group: int) -> None:
    windows = Windows(
        **{
            **{name: getattr(shape, name) for name in Windows.__dataclass_fields__},
            "in_channels": groups * 2,
            "out_channels": groups * per_group,
        }
    )
    expected = literal_distance(convolve(windows, groups))
    assert conv.distance(windows, groups) == expected


@given(shapes(), st.integers(1, 4))
@settings(deadline=None)
def test_reference_depthwise(shape: Windows, multiplier: int) -> None:
    windows = Windows(
        **{
            **{name: getattr(shape, name) for name in Windows.__dataclass_fields__},
            "out_channels": shape.in_channels * multiplier,
        }
    )
    expected = literal_distance(depthwise(windows, multiplier))
    assert depthwise_conv.distance(windows, multiplier) == expected


@given(shapes())
@settings(deadline=None)
def test_reference_pooling(windows: Windows) -> None:
    """Pooling goes through windows as a depthwise convolution does."""
    assert by_position(windows) == literal_distance(depthwise(windows, 1))


def _distance(builder: ModelBuilder, kernels: str) -> OperatorDistance:
    report = arena(read_graph(bytes(builder.build())), load_revision("2026.08", kernels))
    return distance_of(report.prepared.nodes[0])


def _built(row: dict[str, str]) -> ModelBuilder:
    """A model of one layer that a row of traced distances describes."""
    builder = ModelBuilder("layer")
    x = builder.input((1, int(row["h"]), int(row["w"]), int(row["ci"])))
    kernel = int(row["kh"]), int(row["kw"])
    stride = int(row["sh"]), int(row["sw"])
    padding = "same" if row["same"] == "True" else "valid"
    if row["op"] == "conv":
        y = builder.conv_2d(x, int(row["co"]), kernel=kernel, stride=stride, padding=padding)
    elif row["op"] == "dw":
        y = builder.depthwise_conv_2d(
            x, kernel=kernel, multiplier=int(row["mult"]), stride=stride, padding=padding
        )
    else:
        pool = builder.average_pool_2d if row["op"] == "avgpool" else builder.max_pool_2d
        y = pool(x, kernel=kernel, stride=stride, padding=padding)
    builder.output(y)
    return builder


@needs_shared
@pytest.mark.parametrize(
    ("kernels", "column"), [("cmsis_nn", "distance"), ("reference", "reference_distance")]
)
def test_traced_distances(kernels: str, column: str) -> None:
    """Never below what was traced, and near it in 95 % of the rows."""
    near, rows = 0, list(csv.DictReader((TRUTH / "overlap_m4.csv").read_text().splitlines()))
    for row in rows:
        traced = int(row[column])
        found = _distance(_built(row), kernels).distance_bytes
        assert found is not None
        assert found >= traced, row
        near += found - traced <= max(16, 0.05 * traced)
    assert near >= 0.95 * len(rows)


def test_unknown_kernels_never_overlap() -> None:
    builder = ModelBuilder("layer")
    x = builder.input((1, 4, 4, 4))
    builder.output(builder.conv_2d(x, 8, weights="int4"))
    assert _distance(builder, "cmsis_nn").distance_bytes is None
    assert _distance(builder, "reference").distance_bytes is not None


def test_dilation_lets_1x1_convolutions_overlap() -> None:
    """The fast kernel for 1x1 filters reads all positions again for each pair of channels."""
    found = []
    for dilation in (1, 2):
        builder = ModelBuilder("layer")
        x = builder.input((1, 12, 12, 16))
        builder.output(builder.conv_2d(x, 32, dilation=dilation))
        found.append(_distance(builder, "cmsis_nn").distance_bytes)
    assert found == [4606, 2272]
