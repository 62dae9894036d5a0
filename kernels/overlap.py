"""The smallest safe distance between a kernel's input and an output that overlaps it.

The output may begin D bytes below the input when no step of the kernel overwrites an input byte
that a later step reads. The steps of each kernel are those its documentation in mn_nnfunctions.h
names; D is 0 when the output may begin where the input does.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from kernels.calls import Layer

_NOTHING = 1 << 62
"""First byte read by a step that reads nothing."""

Step = tuple[int, int]
"""First input byte that the step reads, byte after the last output byte that it writes."""


def _distance(steps: list[Step]) -> int:
    """D of steps in their order of execution; the ends of what they write ascend."""
    result = 0
    first_later = _NOTHING
    for (reads, _), (_, end) in zip(reversed(steps[1:]), reversed(steps[:-1]), strict=True):
        first_later = min(first_later, reads)
        if first_later < _NOTHING:
            result = max(result, end - first_later)
    return result


def _first_pixels(layer: Layer) -> Iterator[int | None]:
    """Index of the first pixel in the window of each output position; None in the padding."""
    n, height, width, _ = layer.input_dims
    for image, y, x in product(range(n), *map(range, layer.output_dims[1:3])):
        rows = _inside(y, 0, height, layer)
        columns = _inside(x, 1, width, layer)
        if rows is None or columns is None:
            yield None
        else:
            yield (image * height + rows) * width + columns


def _inside(position: int, axis: int, size: int, layer: Layer) -> int | None:
    """First coordinate of the window inside the image."""
    start = position * layer.stride[axis] - layer.padding[axis]
    for tap in range(layer.filter_dims[1 + axis]):
        coordinate = start + tap * layer.dilation[axis]
        if 0 <= coordinate < size:
            return coordinate
    return None


def _byte(element: int | None, bits: int) -> int:
    return _NOTHING if element is None else element * bits // 8


def _end(elements: int, bits: int) -> int:
    return (elements * bits + 7) // 8


def _block_starts(positions: int) -> Iterator[tuple[int, int]]:
    """Blocks of four positions, then single ones: (first position, count)."""
    whole = positions // 4 * 4
    yield from ((start, 4) for start in range(0, whole, 4))
    yield from ((start, 1) for start in range(whole, positions))


def convolution(layer: Layer) -> int:
    """D of mn_convolve_*."""
    bits = layer.activations
    inputs, outputs = layer.input_dims[3], layer.output_dims[3]
    groups = inputs // layer.filter_dims[3]
    pixels = list(_first_pixels(layer))
    steps: list[Step] = []
    for start, count in _block_starts(len(pixels)):
        block = [pixel for pixel in pixels[start : start + count] if pixel is not None]
        pixel = min(block, default=None)
        for group in range(groups):
            first = None if pixel is None else pixel * inputs + group * layer.filter_dims[3]
            # int4 outputs of a block are packed together after its last group.
            done = (start + count - 1) * outputs + (group + 1) * outputs // groups
            end = 0 if bits == 4 and group < groups - 1 else done
            steps.append((_byte(first, bits), _end(end, bits)))
    return _distance(steps)


def fully_connected(layer: Layer) -> int:
    """D of mn_fully_connected_*."""
    bits = layer.activations
    batches = layer.input_dims[0]
    depth = layer.input_dims[1] * layer.input_dims[2] * layer.input_dims[3]
    rows = layer.output_dims[3]
    return _distance([(_byte(b * depth, bits), _end((b + 1) * rows, bits)) for b in range(batches)])


def depthwise(layer: Layer) -> int:
    """D of mn_depthwise_conv_*."""
    if layer.activations == 4:
        return _unpacked_depthwise(layer)
    inputs, outputs = layer.input_dims[3], layer.output_dims[3]
    is_fast = layer.multiplier_of_channels == 1 and outputs >= 4
    steps: list[Step] = []
    for position, pixel in enumerate(_first_pixels(layer)):
        for channel in range(0, outputs, 4):
            end = min(channel + 4, outputs)
            begin = min(channel, outputs - 4) if is_fast else channel
            source = begin // layer.multiplier_of_channels
            first = None if pixel is None else pixel * inputs + source
            steps.append((_byte(first, 8), position * outputs + end))
    return _distance(steps)


def _unpacked_depthwise(layer: Layer) -> int:
    """int4: a row of outputs is a step; its input rows are unpacked before, each row once."""
    images, height, width, channels = layer.input_dims
    _, output_height, output_width, outputs = layer.output_dims
    reach = (layer.filter_dims[1] - 1) * layer.dilation[0]
    steps: list[Step] = []
    for image in range(images):
        unpacked = 0
        for row in range(output_height):
            last = row * layer.stride[0] - layer.padding[0] + reach
            first = (image * height + unpacked) * width * channels
            reads = _byte(first, 4) if unpacked <= min(last, height - 1) else _NOTHING
            unpacked = max(unpacked, min(last, height - 1) + 1)
            done = (image * output_height + row + 1) * output_width * outputs
            steps.append((reads, _end(done, 4)))
    return _distance(steps)


def pooling(layer: Layer) -> int:
    """D of mn_avgpool_* and mn_max_pool_*."""
    bits = layer.activations
    channels = layer.input_dims[3]
    steps: list[Step] = []
    for position, pixel in enumerate(_first_pixels(layer)):
        channel = 0
        while channel < channels:
            lanes = 4 if bits == 8 and channels - channel >= 4 else 1
            first = None if pixel is None else pixel * channels + channel
            channel += lanes
            steps.append((_byte(first, bits), _end(position * channels + channel, bits)))
    return _distance(steps)
