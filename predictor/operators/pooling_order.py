"""In which order the kernels of pooling read and write: one formula per kernel.

Mirrors reference/integer_ops/pooling.h, CMSIS-NN's arm_avgpool_s8.c and arm_max_pool_s8.c (DSP
extension, no MVE). Distances are in elements, of mn in bytes.
"""

from __future__ import annotations

from predictor.operators.access_order import Windows, by_position


def reference(windows: Windows) -> int:
    """Positions ascend, within them channels; each output element reads its window."""
    return by_position(windows)


def cmsis_nn_average(windows: Windows) -> int:
    """A window is summed up in the scratch buffer, all channels, then its outputs are written."""
    return by_position(windows)


def cmsis_nn_max(windows: Windows) -> int:
    """The first pixel of a window is copied to the output, the others are compared with it there.

    So all channels of a position are written after the first pixel, before the others are read,
    which lie behind it by a pixel at least; within a pixel, reads run ahead of the writes. With one
    channel the C library copies single bytes, for which some read beyond the byte: traced distances
    are above those of the order of loops, so that tensors are kept apart.
    """
    return windows.output_elements if windows.in_channels == 1 else by_position(windows)


def mn(windows: Windows, bits: int = 8) -> int:
    """Positions ascend; four int8 channels at a time, single int4 ones. In bytes."""
    if bits == 8:
        return by_position(windows)
    channels = windows.in_channels
    worst = 0
    for place in windows.places(2):
        for channel in range(min(2, channels)):
            written, read = place.position * channels + channel, place.pixel * channels + channel
            worst = max(worst, (written + 1) // 2 - read // 2)
    return worst
