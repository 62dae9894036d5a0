"""In which order the kernels of DEPTHWISE_CONV_2D read and write: one formula per kernel.

Mirrors reference/integer_ops/depthwise_conv.h and CMSIS-NN's arm_depthwise_conv_wrapper_s8.c and
the kernels it chooses from (DSP extension, no MVE). Distances are in elements, of mn in bytes.
"""

from __future__ import annotations

from predictor.operators.access_order import Windows, by_position, ends

_TILE = 4
"""Channels that kernels with SIMD instructions compute together."""


def reference(windows: Windows, multiplier: int) -> int:
    """Positions ascend, within them input channels, within these the outputs of each."""
    return by_position(windows, windows.in_channels * (multiplier - 1))


def cmsis_nn(windows: Windows, multiplier: int) -> int:
    """The kernel that ``arm_depthwise_conv_wrapper_s8`` chooses.

    With one output per input channel those for 3x3 filters take four channels at a time straight
    from the input, others copy a whole position to the scratch buffer: neither writes ahead.
    """
    is_plain = windows.images == 1 and windows.dilation == (1, 1)
    if multiplier == 1 and is_plain:
        return by_position(windows)
    if multiplier % _TILE == 0 and is_plain:
        return _cmsis_nn_tiles(windows, multiplier)
    return reference(windows, multiplier)


def _cmsis_nn_tiles(windows: Windows, multiplier: int) -> int:
    """Four outputs of one input channel at a time."""
    last = windows.in_channels - 1
    return by_position(windows, last * multiplier + multiplier - _TILE - last)


def mn(windows: Windows, multiplier: int, bits: int = 8) -> int:
    """Positions ascend; four channels at a time. In bytes.

    With one output per input channel the last four channels are computed together, again where
    their number is no multiple of four.
    """
    if bits == 4:
        return _our_unpacked(windows)
    channels = windows.out_channels
    last = (channels - 1) // _TILE * _TILE
    is_fast = multiplier == 1 and channels >= _TILE
    begin = channels - _TILE if is_fast else last
    return by_position(windows, last - begin // multiplier)


def _our_unpacked(windows: Windows) -> int:
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
