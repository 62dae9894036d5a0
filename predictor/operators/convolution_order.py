"""In which order the kernels of CONV_2D read and write: one formula per kernel, in elements.

Mirrors reference/integer_ops/conv.h and CMSIS-NN's arm_convolve_s8.c, arm_convolve_1x1_s8.c,
arm_convolve_1x1_s8_fast.c and arm_nn_mat_mult_nt_t_s8.c (DSP extension, no MVE). The order of our
kernels is that of mn_nnfunctions.h.
"""

from __future__ import annotations

from functools import lru_cache

from predictor.operators.access_order import CACHED, Place, Windows, by_position

_OUR_BLOCK = 4
"""Output positions that our kernel computes together."""


def reference(windows: Windows, groups: int) -> int:
    """Positions ascend, within them channels; each output element reads its whole window.

    All channels of a group read from its first input channel on, so the last write before the
    last read of a group is that of the last output channel but one.
    """
    of_group_in, of_group_out = windows.in_channels // groups, windows.out_channels // groups
    return by_position(
        windows,
        max((group + 1) * of_group_out - 1 - group * of_group_in for group in {0, groups - 1}),
    )


@lru_cache(maxsize=CACHED)
def cmsis_nn_columns(windows: Windows, groups: int) -> int:
    """im2col: two positions are copied to the scratch buffer, then their outputs are written.

    Pairs run on from row to row, an odd last position stands alone. All positions of a group of
    channels come before those of the next, and all of an image before those of the next.
    """
    of_group_in, of_group_out = windows.in_channels // groups, windows.out_channels // groups
    outputs, of_image = windows.out_channels, windows.positions_of_image
    worst = 0
    for place in windows.places(2):
        image = place.image * of_image
        pair = (place.position - image) // 2 * 2
        written = image * outputs
        if pair:
            written += (pair - 1) * outputs + of_group_out
        read = place.pixel * windows.in_channels
        worst = max(worst, written - read)
        # Each further group reads the whole image again after the one before has written it.
        last = (image + of_image - 1) * outputs
        for group in {1, groups - 1} if groups > 1 else ():
            worst = max(worst, last + group * of_group_out - read - group * of_group_in)
    return worst


@lru_cache(maxsize=CACHED)
def cmsis_nn_pointwise(windows: Windows) -> int:
    """1x1 without dilation: for two output channels at a time all positions are swept.

    Sweeps go over one row of outputs where the stride is not 1, over all positions of all images
    where it is; each takes two positions at a time, that of an odd last channel one. From three
    output channels on every position is read again after nearly all outputs have been written.
    Nothing asks where the input ends, so that outputs beyond it are kept apart.
    """
    outputs = windows.out_channels
    axes = zip(windows.out_size, windows.stride, windows.in_size, strict=True)
    if any((out - 1) * stride >= size for out, stride, size in axes):
        return windows.output_elements
    length = windows.positions if windows.stride == (1, 1) else windows.out_size[1]
    takes_pairs = outputs % 2 == 0
    before = outputs - (outputs % 2 or 2)  # channels that the sweeps before the last finish
    worst = 0
    for place in windows.places(2):
        start = place.position // length * length
        read = place.pixel * windows.in_channels
        if not (takes_pairs and (place.position - start) % 2):
            worst = max(worst, place.position * outputs - read)
        if before and place.position == start:
            worst = max(worst, (start + length - 1) * outputs + before - read)
    return worst


@lru_cache(maxsize=CACHED)
def mn(windows: Windows, groups: int, bits: int = 8) -> int:
    """Blocks of four positions, then single ones; of a block one group of channels after another.

    In bytes. int4 outputs of a block are packed together after its last group.
    """
    further = {1, groups - 1} if groups > 1 and bits == 8 else set()
    found = (
        _our_distance(windows, place, group, groups, bits)
        for place in windows.places(_OUR_BLOCK)
        for group in {0} | further
    )
    return max(0, max(found, default=0))


def _our_distance(windows: Windows, place: Place, group: int, groups: int, bits: int) -> int:
    """What is written, in bytes, before a place is read for a group, less where it is read."""
    outputs, inputs = windows.out_channels, windows.in_channels
    block, size = place.position, 1
    if place.position < windows.positions // _OUR_BLOCK * _OUR_BLOCK:
        block, size = place.position // _OUR_BLOCK * _OUR_BLOCK, _OUR_BLOCK
    written = block * outputs
    if group:
        written += (size - 1) * outputs + group * (outputs // groups)
    read = place.pixel * inputs + group * (inputs // groups)
    return (written * bits + 7) // 8 - read * bits // 8
