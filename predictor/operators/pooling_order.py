"""In which order the kernels of pooling read and write: one formula per kernel.

Mirrors reference/integer_ops/pooling.h, CMSIS-NN's arm_avgpool_s8.c and arm_max_pool_s8.c (DSP
extension, no MVE). Distances are in elements, ours in bytes.
"""

from __future__ import annotations

from itertools import product

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


def reference(windows: Windows) -> int:
    """Positions ascend, within them channels; each output element reads its window."""
    return by_position(
        windows, [InnerStep(channel, channel + 1) for channel in range(windows.out_channels)]
    )


def cmsis_nn_average(windows: Windows) -> int:
    """A window is summed up in the scratch buffer, all channels, then its outputs are written."""
    return by_position(windows, [InnerStep(0, windows.out_channels)])


def cmsis_nn_max(windows: Windows) -> int:
    """The first pixel of a window is copied to the output, the others are compared with it there.

    So all channels of a position are written after the first pixel, before the others are read;
    within a pixel, reads run ahead of the writes. With one channel the C library copies single
    bytes, for which some read beyond the byte: traced distances are above those of the order of
    loops, so that tensors are kept apart.
    """
    channels = windows.in_channels
    if channels == 1:
        return windows.output_elements
    height, width = windows.filter_size
    taps = list(product(range(height), range(width)))
    pixels = np.stack([windows.tap_pixels(tap) for tap in taps], axis=1)
    starts = np.arange(windows.positions, dtype=np.int64)[:, None] * windows.out_channels
    inside = pixels != NOTHING
    ends = np.where(inside, starts + channels, 0)
    reads = element_reads(pixels.reshape(-1), channels)
    result = distance(reads, ends.reshape(-1))
    if inside.any():
        # Within a pixel, each channel is read after those before it were written.
        ahead = (starts - pixels * channels)[inside]
        result = max(result, int(ahead.max()))
    return result


def ours(windows: Windows, bits: int = 8) -> int:
    """Positions ascend; four int8 channels at a time, single int4 ones. In bytes."""
    channels = windows.in_channels
    whole = channels // _TILE * _TILE if bits == 8 else 0
    begins = [*range(0, whole, _TILE), *range(whole, channels)]
    lengths = [_TILE] * (whole // _TILE) + [1] * (channels - whole)
    if bits == 8:
        steps = zip(begins, lengths, strict=True)
        return by_position(windows, [InnerStep(begin, begin + size) for begin, size in steps])
    pixels = windows.first_pixels()
    reads = pixels[:, None] * channels + np.arange(channels)
    reads = np.where(pixels[:, None] == NOTHING, NOTHING, reads // 2)
    ends = (np.arange(1, reads.size + 1) + 1) // 2
    return distance(reads.reshape(-1), ends)
