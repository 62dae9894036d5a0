"""Closed forms of distances against kernels walked step by step, and how little they look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.operators.access_order import LONGEST_PERIOD, MOST_PLACES, Windows
from predictor.operators.cmsis_nn import conv, depthwise_conv, pooling
from predictor.operators.mn.overlap import (
    convolution_distance,
    depthwise_distance,
    fully_connected,
    pooling_distance,
)

Step = tuple[int | None, int]
"""First unit that a step reads, None for none, and the unit behind the last that it writes."""


def walked(steps: Iterator[Step]) -> int:
    """D by its definition, step by step."""
    worst = written = 0
    for first, end in steps:
        if first is not None:
            worst = max(worst, written - first)
        written = max(written, end)
    return worst


def first_pixels(windows: Windows) -> list[int | None]:
    """The first pixel under each window, None where all of it is padding."""
    found: list[int | None] = []
    (height, width), taps = windows.in_size, list(product(*map(range, windows.filter_size)))
    for image, *output in product(range(windows.images), *map(range, windows.out_size)):
        inside = [
            (image * height + y) * width + x
            for tap in taps
            for y, x in [
                [
                    output[axis] * windows.stride[axis]
                    - windows.padding[axis]
                    + tap[axis] * windows.dilation[axis]
                    for axis in (0, 1)
                ]
            ]
            if 0 <= y < height and 0 <= x < width
        ]
        found.append(min(inside, default=None))
    return found


def element(pixel: int | None, channels: int, channel: int = 0) -> int | None:
    return None if pixel is None else pixel * channels + channel


def least(pixels: list[int | None]) -> int | None:
    return min((pixel for pixel in pixels if pixel is not None), default=None)


def byte(index: int | None, bits: int) -> int | None:
    return None if index is None else index * bits // 8


def behind(index: int, bits: int) -> int:
    return (index * bits + 7) // 8


sizes = st.tuples(st.integers(1, 7), st.integers(1, 7))


@st.composite
def shapes(draw: st.DrawFn) -> Windows:
    """Windows with any border, those that lie in the padding as a whole among them."""
    return Windows(
        images=draw(st.sampled_from([1, 1, 2, 3, 19])),
        in_size=draw(sizes),
        in_channels=1,
        out_size=draw(sizes),
        out_channels=1,
        filter_size=draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        stride=draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
        dilation=draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (3, 1), (2, 5)])),
        padding=draw(st.tuples(st.integers(0, 7), st.integers(0, 7))),
    )


def columns(windows: Windows, groups: int) -> Iterator[Step]:
    pixels, of_image = first_pixels(windows), windows.positions_of_image
    inputs, outputs = windows.in_channels // groups, windows.out_channels // groups
    for image, group, start in product(range(windows.images), range(groups), range(0, of_image, 2)):
        end = min(start + 2, of_image)
        pair = pixels[image * of_image + start : image * of_image + end]
        written = (image * of_image + end - 1) * windows.out_channels + (group + 1) * outputs
        yield element(least(pair), windows.in_channels, group * inputs), written


def blocks(windows: Windows, groups: int, bits: int) -> Iterator[Step]:
    pixels = first_pixels(windows)
    inputs, outputs = windows.in_channels // groups, windows.out_channels // groups
    whole = len(pixels) // 4 * 4
    bounds = [(i, i + 4) for i in range(0, whole, 4)]
    bounds += [(i, i + 1) for i in range(whole, len(pixels))]
    for (start, end), group in product(bounds, range(groups)):
        read = element(least(pixels[start:end]), windows.in_channels, group * inputs)
        written = (end - 1) * windows.out_channels + (group + 1) * outputs
        is_packed = bits == 8 or group == groups - 1
        yield byte(read, bits), behind(written, bits) if is_packed else 0


@given(shapes(), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))
@settings(deadline=None)
def test_groups(shape: Windows, groups: int, inputs: int, outputs: int) -> None:
    windows = replace(shape, in_channels=groups * inputs, out_channels=groups * outputs)
    expected = walked(columns(windows, groups))
    assert conv.columns_distance(windows, groups) == expected
    for bits in (8, 4):
        expected = walked(blocks(windows, groups, bits))
        assert convolution_distance(windows, groups, bits) == expected


def sweeps(windows: Windows) -> Iterator[Step]:
    pixels, outputs = first_pixels(windows), windows.out_channels
    length = len(pixels) if windows.stride == (1, 1) else windows.out_size[1]
    for start in range(0, len(pixels), length):
        for channel in range(0, outputs, 2):
            size = min(2, outputs - channel)
            for first in range(start, start + length, size):
                last = min(first + size, start + length) - 1
                read = element(pixels[first], windows.in_channels)
                yield read, last * outputs + channel + size


@given(shapes(), st.integers(1, 5), st.integers(1, 7))
@settings(deadline=None)
def test_pointwise(shape: Windows, inputs: int, outputs: int) -> None:
    out_height, out_width = (
        (size - 1) // stride + 1 for size, stride in zip(shape.in_size, shape.stride, strict=True)
    )
    windows = replace(
        shape,
        in_channels=inputs,
        out_channels=outputs,
        out_size=(out_height, out_width),
        filter_size=(1, 1),
        dilation=(1, 1),
        padding=(0, 0),
    )
    assert conv.pointwise_distance(windows) == walked(sweeps(windows))


def test_pointwise_beyond_the_input() -> None:
    """The kernel does not ask where the input ends."""
    windows = Windows(1, (4, 4), 8, (4, 5), 8, (1, 1), (1, 1), (1, 1), (0, 0))
    assert conv.pointwise_distance(windows) == windows.output_elements


def tiles(windows: Windows, multiplier: int) -> Iterator[Step]:
    for position, pixel in enumerate(first_pixels(windows)):
        for channel, tile in product(range(windows.in_channels), range(0, multiplier, 4)):
            written = position * windows.out_channels + channel * multiplier + tile + 4
            yield element(pixel, windows.in_channels, channel), written


def quads(windows: Windows, multiplier: int) -> Iterator[Step]:
    outputs = windows.out_channels
    for position, pixel in enumerate(first_pixels(windows)):
        for start in range(0, outputs, 4):
            is_fast = multiplier == 1 and outputs >= 4
            begin = min(start, outputs - 4) if is_fast else start
            read = element(pixel, windows.in_channels, begin // multiplier)
            yield read, position * outputs + min(start + 4, outputs)


def unpacked_rows(windows: Windows) -> Iterator[Step]:
    height, width = windows.in_size
    for image in range(windows.images):
        unpacked = 0
        for row in range(windows.out_size[0]):
            reach = (windows.filter_size[0] - 1) * windows.dilation[0]
            last = min(row * windows.stride[0] - windows.padding[0] + reach, height - 1)
            is_ready = unpacked > last
            read = (image * height + unpacked) * width * windows.in_channels
            rows = image * windows.out_size[0] + row + 1
            written = rows * windows.out_size[1] * windows.out_channels
            yield None if is_ready else byte(read, 4), behind(written, 4)
            unpacked = max(unpacked, last + 1)


@given(shapes(), st.integers(1, 6), st.integers(1, 9))
@settings(deadline=None)
def test_depthwise(shape: Windows, channels: int, multiplier: int) -> None:
    windows = replace(shape, in_channels=channels, out_channels=channels * multiplier)
    expected = walked(quads(windows, multiplier))
    assert depthwise_distance(windows, multiplier) == expected
    assert depthwise_distance(windows, multiplier, 4) == walked(unpacked_rows(windows))
    if multiplier % 4 == 0:
        plain = replace(windows, images=1, dilation=(1, 1))
        expected = walked(tiles(plain, multiplier))
        assert depthwise_conv.distance(plain, multiplier) == expected


def compared_taps(windows: Windows) -> Iterator[Step]:
    """The first pixel inside is copied to the output, the next ones are compared with it."""
    (height, width), channels = windows.in_size, windows.in_channels
    places = product(range(windows.images), *map(range, windows.out_size))
    for position, (image, row, column) in enumerate(places):
        for tap_y, tap_x in product(*map(range, windows.filter_size)):
            y = row * windows.stride[0] - windows.padding[0] + tap_y
            x = column * windows.stride[1] - windows.padding[1] + tap_x
            if 0 <= y < height and 0 <= x < width:
                pixel = (image * height + y) * width + x
                for channel in range(channels):
                    yield pixel * channels + channel, position * channels + channel + 1


@given(shapes(), st.integers(2, 5))
@settings(deadline=None)
def test_pooling(shape: Windows, channels: int) -> None:
    windows = replace(shape, in_channels=channels, out_channels=channels, dilation=(1, 1))
    assert pooling.max_distance(windows) == walked(compared_taps(windows))
    singles = (
        (byte(element(pixel, channels, channel), 4), behind(position * channels + channel + 1, 4))
        for position, pixel in enumerate(first_pixels(windows))
        for channel in range(channels)
    )
    assert pooling_distance(windows, 4) == walked(singles)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.sampled_from([8, 4]))
def test_fully_connected(batches: int, depth: int, rows: int, bits: int) -> None:
    steps = ((n * depth * bits // 8, behind((n + 1) * rows, bits)) for n in range(batches))
    assert fully_connected(batches, depth, rows, bits) == walked(steps)


@pytest.mark.parametrize("dilation", [1, 2, 16])
def test_work_does_not_grow_with_tensors(dilation: int) -> None:
    huge = Windows(
        1 << 20,
        (1 << 20, 1 << 20),
        8,
        (1 << 20, 1 << 20),
        8,
        (3, 3),
        (1, 1),
        (dilation,) * 2,
        (1, 1),
    )
    assert huge.is_bounded
    assert sum(1 for _ in huge.places(LONGEST_PERIOD)) <= MOST_PLACES


def test_hostile_dilation_is_not_looked_at() -> None:
    hostile = Windows(1, (9, 9), 1, (1 << 20, 9), 1, (9, 9), (3, 1), (1 << 30, 1), (1 << 30, 0))
    assert not hostile.is_bounded
