"""How far an output may overlap an input with these kernels, in bytes.

The steps of each kernel are those that its documentation in kernels/include/mn_nnfunctions.h
names; tests hold the distances against traced reads and writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from predictor.model.device.elementwise_options import LookupOptions, MeanOptions, PairOptions
from predictor.model.device.options import (
    AddOptions,
    ClampOptions,
    DeviceOptions,
    PoolOptions,
    RequantizeOptions,
    SoftmaxOptions,
    WeightedOptions,
)
from predictor.model.device.stream import StreamOptions
from predictor.operators.access_order import CACHED, InputOverlap, Place, Windows, by_position, ends
from predictor.operators.mn.stream import stream_distance
from predictor.operators.overlap_rules import ELEMENTWISE

_BLOCKS = "blocks of four positions are finished one after the other"
_QUADS = "positions are finished one after the other, up to four channels at a time"
_ROWS = "rows of outputs are finished one after the other"
_MEANS = "up to four means are written when all of their values were read"
_BATCHES = "batches are read before their outputs are written"

_RUNS = "rows of the group's input are read before rows of its output are written over them"

_BLOCK = 4
"""Output positions of a convolution that are computed together."""
_TILE = 4
"""Channels that are computed together."""


def input_overlaps(options: DeviceOptions) -> Sequence[InputOverlap]:
    """The inputs that an operator's output may overlap."""
    if isinstance(options, StreamOptions):
        return (InputOverlap(0, stream_distance(options), _RUNS),)
    if isinstance(options, WeightedOptions) and options.operator == "FULLY_CONNECTED":
        batches, _, _, depth = options.input_dims
        found = fully_connected(batches, depth, options.output_dims[3], options.input_bits)
        return (InputOverlap(0, found, _BATCHES),)
    if isinstance(options, WeightedOptions | PoolOptions):
        windows = _windows(options)
        return (_of_windows(options, windows),) if windows.is_bounded else ()
    if isinstance(options, AddOptions):
        return tuple(InputOverlap(position, 0, ELEMENTWISE) for position in (0, 1))
    if isinstance(options, PairOptions):
        whole = options.output_dims
        return tuple(
            InputOverlap(position, 0, ELEMENTWISE)
            for position, dims in enumerate(options.input_dims)
            if dims == whole
        )
    if isinstance(options, MeanOptions):
        return (InputOverlap(0, 0, _MEANS),)
    return (InputOverlap(0, 0, ELEMENTWISE),) if _works_in_place(options) else ()


def _works_in_place(options: DeviceOptions) -> bool:
    """Whether elements are read before their results are written over them."""
    if isinstance(options, SoftmaxOptions):
        return options.bits == 8
    if isinstance(options, RequantizeOptions):
        return options.output_bits <= options.input_bits
    return isinstance(options, ClampOptions | LookupOptions)


def _of_windows(options: WeightedOptions | PoolOptions, windows: Windows) -> InputOverlap:
    if isinstance(options, PoolOptions):
        return InputOverlap(0, pooling_distance(windows, options.bits), _QUADS)
    bits = options.input_bits
    if options.operator == "CONV_2D":
        groups = options.input_dims[3] // options.filter_dims[3]
        return InputOverlap(0, convolution_distance(windows, groups, bits), _BLOCKS)
    found = depthwise_distance(windows, options.channel_multiplier, bits)
    return InputOverlap(0, found, _QUADS if bits == 8 else _ROWS)


@lru_cache(maxsize=CACHED)
def convolution_distance(windows: Windows, groups: int, bits: int = 8) -> int:
    """Blocks of four positions, then single ones; of a block one group of channels after another.

    int4 outputs of a block are packed together after its last group.
    """
    further = {1, groups - 1} if groups > 1 and bits == 8 else set()
    found = (
        _ahead_of_block(windows, place, group, groups, bits)
        for place in windows.places(_BLOCK)
        for group in {0} | further
    )
    return max(0, max(found, default=0))


def _ahead_of_block(windows: Windows, place: Place, group: int, groups: int, bits: int) -> int:
    """What is written, in bytes, before a place is read for a group, less where it is read."""
    outputs, inputs = windows.out_channels, windows.in_channels
    block, size = place.position, 1
    if place.position < windows.positions // _BLOCK * _BLOCK:
        block, size = place.position // _BLOCK * _BLOCK, _BLOCK
    written = block * outputs
    if group:
        written += (size - 1) * outputs + group * (outputs // groups)
    read = place.pixel * inputs + group * (inputs // groups)
    return (written * bits + 7) // 8 - read * bits // 8


def depthwise_distance(windows: Windows, multiplier: int, bits: int = 8) -> int:
    """Positions ascend; four channels at a time.

    With one output per input channel the last four channels are computed together, again where
    their number is no multiple of four.
    """
    if bits == 4:
        return _unpacked_distance(windows)
    channels = windows.out_channels
    last = (channels - 1) // _TILE * _TILE
    is_fast = multiplier == 1 and channels >= _TILE
    begin = channels - _TILE if is_fast else last
    return by_position(windows, last - begin // multiplier)


def _unpacked_distance(windows: Windows) -> int:
    """int4: a row of outputs is a step; its input rows are unpacked before, each row once."""
    (height, width), (out_height, out_width) = windows.in_size, windows.out_size
    stride = windows.stride[0]
    reach = (windows.filter_size[0] - 1) * windows.dilation[0] - windows.padding[0]

    def unpacked(row: int) -> int:
        """Input rows that are unpacked when a row of outputs has been computed."""
        return max(0, min(row * stride + reach, height - 1) + 1)

    border = -(-max(0, -reach) // stride)
    last = max(0, height - 1 - reach) // stride
    worst = 0
    for row in ends(out_height, 2, (border, last)):
        first = unpacked(row - 1) if row else 0
        if first == unpacked(row):
            continue  # nothing is left to unpack
        for image in ends(windows.images, 2):
            written = (image * out_height + row) * out_width * windows.out_channels
            read = (image * height + first) * width * windows.in_channels
            worst = max(worst, (written + 1) // 2 - read // 2)
    return worst


def pooling_distance(windows: Windows, bits: int = 8) -> int:
    """Positions ascend; four int8 channels at a time, single int4 ones."""
    if bits == 8:
        return by_position(windows)
    channels = windows.in_channels
    worst = 0
    for place in windows.places(2):
        for channel in range(min(2, channels)):
            written, read = place.position * channels + channel, place.pixel * channels + channel
            worst = max(worst, (written + 1) // 2 - read // 2)
    return worst


def fully_connected(batches: int, depth: int, rows: int, bits: int) -> int:
    """A step is a batch, whose inputs are all read before its outputs are written."""
    return max(
        ((batch * rows * bits + 7) // 8 - batch * depth * bits // 8 for batch in ends(batches, 2)),
        default=0,
    )


def _windows(options: WeightedOptions | PoolOptions) -> Windows:
    images, height, width, in_channels = options.input_dims
    _, out_height, out_width, out_channels = options.output_dims
    if isinstance(options, PoolOptions):
        filter_size, dilation = options.window, (1, 1)
    else:
        filter_size, dilation = options.filter_dims[1:3], options.dilation
    return Windows(
        images,
        (height, width),
        in_channels,
        (out_height, out_width),
        out_channels,
        filter_size,
        options.stride,
        dilation,
        options.padding,
    )
