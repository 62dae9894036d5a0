"""In which order the kernels of DEPTHWISE_CONV_2D read and write: one formula per kernel.

Mirrors reference/integer_ops/depthwise_conv.h and CMSIS-NN's arm_depthwise_conv_wrapper_s8.c and
the kernels it chooses from (DSP extension, no MVE). Distances are in elements, ours in bytes.
"""

from __future__ import annotations

import numpy as np

from predictor.operators.access_order import (
    NOTHING,
    InnerStep,
    Windows,
    by_position,
    distance,
    element_reads,
)

_TILE = 4
"""Channels that kernels with SIMD instructions compute together."""


def reference(windows: Windows, multiplier: int) -> int:
    """Positions ascend, within them input channels, within these the outputs of each."""
    channels = windows.in_channels
    return by_position(
        windows,
        [
            InnerStep(channel, channel * multiplier + output + 1)
            for channel in range(channels)
            for output in range(multiplier)
        ],
    )


def cmsis_nn(windows: Windows, multiplier: int) -> int:
    """The kernel that ``arm_depthwise_conv_wrapper_s8`` chooses."""
    is_plain = windows.images == 1 and windows.dilation == (1, 1)
    if multiplier == 1 and is_plain:
        if windows.filter_size == (3, 3) and max(windows.padding) <= 1:
            return _cmsis_nn_3x3(windows)
        return _cmsis_nn_columns(windows)
    if multiplier % _TILE == 0 and is_plain:
        return _cmsis_nn_tiles(windows, multiplier)
    return reference(windows, multiplier)


def _cmsis_nn_3x3(windows: Windows) -> int:
    """Four channels at a time, then single ones, straight from the input."""
    channels = windows.out_channels
    whole = channels // _TILE * _TILE
    inner = [InnerStep(start, start + _TILE) for start in range(0, whole, _TILE)]
    inner += [InnerStep(channel, channel + 1) for channel in range(whole, channels)]
    return by_position(windows, inner)


def _cmsis_nn_columns(windows: Windows) -> int:
    """A whole position is copied to the scratch buffer, then its outputs are written."""
    return by_position(windows, [InnerStep(0, windows.out_channels)])


def _cmsis_nn_tiles(windows: Windows, multiplier: int) -> int:
    """Four outputs of one input channel at a time."""
    return by_position(
        windows,
        [
            InnerStep(channel, channel * multiplier + tile + _TILE)
            for channel in range(windows.in_channels)
            for tile in range(0, multiplier, _TILE)
        ],
    )


def ours(windows: Windows, multiplier: int, bits: int = 8) -> int:
    """Positions ascend; four channels at a time. In bytes.

    With one output per input channel the last four channels are computed together, again where
    their number is no multiple of four.
    """
    if bits == 4:
        return _our_unpacked(windows)
    channels = windows.out_channels
    is_fast = multiplier == 1 and channels >= _TILE
    inner = []
    for channel in range(0, channels, _TILE):
        begin = min(channel, channels - _TILE) if is_fast else channel
        inner.append(InnerStep(begin // multiplier, min(channel + _TILE, channels)))
    return by_position(windows, inner)


def _our_unpacked(windows: Windows) -> int:
    """int4: a row of outputs is a step; its input rows are unpacked before, each row once."""
    height, width = windows.in_size
    rows = np.arange(windows.out_size[0], dtype=np.int64) * windows.stride[0]
    reach = (windows.filter_size[0] - 1) * windows.dilation[0]
    last = np.minimum(rows - windows.padding[0] + reach, height - 1)
    unpacked = np.maximum.accumulate(np.concatenate([[0], last + 1]))
    needed = np.where(unpacked[:-1] <= last, unpacked[:-1] * width, NOTHING)
    images = np.arange(windows.images, dtype=np.int64)[:, None]
    pixels = np.where(needed == NOTHING, NOTHING, images * height * width + needed[None, :])
    reads = element_reads(pixels.reshape(-1), windows.in_channels)
    reads = np.where(reads == NOTHING, NOTHING, reads // 2)
    done = np.arange(1, len(reads) + 1) * windows.out_size[1] * windows.out_channels
    return distance(reads, (done + 1) // 2)
