"""In which order the kernels of CONV_2D read and write: one formula per kernel, in elements.

Mirrors reference/integer_ops/conv.h and CMSIS-NN's arm_convolve_s8.c, arm_convolve_1x1_s8.c,
arm_convolve_1x1_s8_fast.c and arm_nn_mat_mult_nt_t_s8.c (DSP extension, no MVE). The order of our
kernels is that of mn_nnfunctions.h.
"""

from __future__ import annotations

import numpy as np

from predictor.operators.access_order import (
    NOTHING,
    InnerStep,
    Steps,
    Windows,
    by_position,
    distance,
    element_reads,
)

_OUR_BLOCK = 4
"""Output positions that our kernel computes together."""


def reference(windows: Windows, groups: int) -> int:
    """Positions ascend, within them channels; each output element reads its whole window.

    All channels of a group read from its first input channel on, so the last write before the
    last read of a group is that of the last output channel but one.
    """
    per_group_in, per_group_out = windows.in_channels // groups, windows.out_channels // groups
    inner = []
    for group in range(groups):
        first, end = group * per_group_in, (group + 1) * per_group_out
        inner += [InnerStep(first, end - 1), InnerStep(first, end)]
    return by_position(windows, inner)


def cmsis_nn_columns(windows: Windows, groups: int) -> int:
    """im2col: two positions are copied to the scratch buffer, then their outputs are written.

    Pairs run on from row to row, an odd last position stands alone. All positions of a group of
    channels come before those of the next, and all of an image before those of the next.
    """
    per_image = windows.positions // max(1, windows.images)
    pixels = windows.first_pixels().reshape(windows.images, per_image)
    count = -(-per_image // 2)
    padded = np.full((windows.images, 2 * count), NOTHING, np.int64)
    padded[:, :per_image] = pixels
    first = padded.reshape(windows.images, count, 2).min(axis=2)
    ends = np.minimum(np.arange(1, count + 1) * 2, per_image) - 1
    reads, writes = [], []
    for image in range(windows.images):
        for group in range(groups):
            channel = group * (windows.in_channels // groups)
            done = (group + 1) * (windows.out_channels // groups)
            reads.append(element_reads(first[image], windows.in_channels, channel))
            writes.append((image * per_image + ends) * windows.out_channels + done)
    return distance(np.concatenate(reads), np.concatenate(writes))


def cmsis_nn_pointwise(windows: Windows) -> int:
    """1x1 without dilation: for two output channels at a time all positions are swept.

    Sweeps go over one row of outputs where the stride is not 1, over all positions of all images
    where it is; each takes two positions at a time, that of an odd last channel one. From three
    output channels on every position is read again after nearly all outputs have been written.
    """
    pixels = windows.first_pixels()
    length = windows.positions if windows.stride == (1, 1) else windows.out_size[1]
    sweeps = -(-windows.out_channels // 2)
    worst = 0
    for start in range(0, len(pixels), length):
        row = pixels[start : start + length] * windows.in_channels
        written = (start + np.arange(length)) * windows.out_channels
        last = windows.out_channels
        if sweeps > 1:
            before = last - (last % 2 or 2)  # channels that the sweeps before the last finish
            again = int(written[-1]) + before - int(row[0])
            worst = max(worst, again)
        worst = max(worst, _sweep(row, written + last, pairs=last % 2 == 0))
    ends = np.arange(length, len(pixels), length) * windows.out_channels
    if len(ends):
        worst = max(worst, int((ends - pixels[length::length] * windows.in_channels).max()))
    return worst


def _sweep(reads: Steps, ends: Steps, pairs: bool) -> int:
    """D of one sweep, two positions at a time or one."""
    if not pairs:
        return distance(reads, ends)
    whole = len(reads) // 2 * 2
    tail = slice(whole, len(reads))
    return distance(
        np.concatenate([reads[0:whole:2], reads[tail]]),
        np.concatenate([ends[1:whole:2], ends[tail]]),
    )


def ours(windows: Windows, groups: int, bits: int = 8) -> int:
    """Blocks of four positions, then single ones; of a block one group of channels after another.

    In bytes. int4 outputs of a block are packed together after its last group.
    """
    pixels = windows.first_pixels()
    whole = len(pixels) // _OUR_BLOCK * _OUR_BLOCK
    first = np.concatenate([pixels[:whole].reshape(-1, _OUR_BLOCK).min(axis=1), pixels[whole:]])
    done = np.concatenate(
        [np.arange(_OUR_BLOCK, whole + 1, _OUR_BLOCK), np.arange(whole + 1, len(pixels) + 1)]
    )
    reads, ends = [], []
    for group in range(groups):
        channel = group * (windows.in_channels // groups)
        elements = element_reads(first, windows.in_channels, channel)
        reads.append(np.where(elements == NOTHING, NOTHING, elements * bits // 8))
        written = (done - 1) * windows.out_channels
        written = written + (group + 1) * (windows.out_channels // groups)
        written = (written * bits + 7) // 8
        ends.append(np.zeros_like(written) if bits == 4 and group < groups - 1 else written)
    return distance(np.stack(reads, axis=1).reshape(-1), np.stack(ends, axis=1).reshape(-1))
