"""Scratch buffers of CMSIS-NN's kernels, by the instructions of the core they are built for.

Mirrors the functions ``arm_*_get_buffer_size``: plain C, DSP or MVE as the core has them, built
with GCC. Sizes in bytes; shapes are (n, h, w, c).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import fmod
from typing import Any, NamedTuple

from predictor.cores.core import Core
from predictor.model.geometry import padding_of
from predictor.operators.quantized import INT16_BYTES, INT32_BYTES

_MVE_COLUMNS = 4
"""Positions whose columns a kernel for MVE multiplies at once."""
_MVE_LANES = 16
"""Elements of 8 bits in a vector register."""
MVE_DEPTHWISE_BLOCK = 124
"""Channels of a block (``CH_IN_BLOCK_MVE``)."""
_MVE_AS_CONVOLUTION = 1
"""Output channels above which a depthwise layer with one input channel runs as convolution."""

Shape = tuple[int, ...]


class Window(NamedTuple):
    """What a row of a convolution sees: widths, stride and padding of one axis."""

    in_width: int
    kernel_width: int
    out_width: int
    stride: int
    padding: int


def has_dsp(core: Core) -> bool:
    """Whether CMSIS-NN takes its kernels for the DSP extension and not those for MVE."""
    return "dsp" in core.extensions and not has_mve(core)


def has_mve(core: Core) -> bool:
    return "mve" in core.extensions


def column_bytes(core: Core, taps: int) -> int:
    """``arm_convolve_s8_get_buffer_size``: columns of the input that are multiplied at once."""
    if has_mve(core):
        return _MVE_COLUMNS * _rounded_up(taps, _MVE_LANES)
    return 2 * _rounded_up(taps, 4) * INT16_BYTES


def int16_column_bytes(core: Core, taps: int) -> int:
    """``arm_convolve_s16_get_buffer_size``."""
    if has_mve(core):
        return _MVE_COLUMNS * _rounded_up(taps, _MVE_LANES // 2) * INT16_BYTES
    return 2 * taps * INT16_BYTES


def row_bytes(core: Core, taps: int, channels: int, window: Window) -> int:
    """``arm_convolve_1_x_n_s8_get_buffer_size``: a convolution along one row."""
    if not has_mve(core):
        return column_bytes(core, taps)
    in_width, kernel, out_width, stride, padding = window
    odd = int(fmod((out_width - 1) * stride + kernel - in_width, 2))
    right = max(1, _quotient(padding + odd + stride - 1, stride)) if padding + odd else 0
    left = max(1, _quotient(padding + stride - 1, stride)) if padding else 0
    inside = max(out_width - (right + left), 0)
    if right + inside + left != out_width:
        return column_bytes(core, taps)
    pad_left = padding * channels
    pad_right = right * channels if odd else pad_left
    return max(kernel * channels + pad_left, (kernel - 1) * channels + pad_right)


def is_1x1(options: Mapping[str, Any], in_shape: Shape, filter_shape: Shape) -> bool:
    """``arm_nn_is_convolve_1x1``; padding of a 1x1 filter is always 0."""
    return (
        filter_shape[1:3] == (1, 1)
        and options.get("dilation_h_factor", 0) == 1
        and options.get("dilation_w_factor", 0) == 1
        and in_shape[3] == filter_shape[3]
    )


def convolution_bytes(
    core: Core,
    options: Mapping[str, Any],
    in_shape: Shape,
    filter_shape: Shape,
    out_shape: Shape,
) -> int:
    """``arm_convolve_wrapper_s8_get_buffer_size``."""
    if is_1x1(options, in_shape, filter_shape):
        return 0
    taps = filter_shape[2] * filter_shape[1] * in_shape[3]
    stride = int(options.get("stride_w", 0))
    is_row = (
        in_shape[1] == 1
        and filter_shape[1] == 1
        and options.get("dilation_w_factor", 0) == 1
        and stride * in_shape[3] % 4 == 0
        and in_shape[3] == filter_shape[3]
    )
    if not is_row:
        return column_bytes(core, taps)
    padding = padding_of(options, in_shape[1:3], filter_shape[1:3]).width
    window = Window(in_shape[2], filter_shape[2], out_shape[2], stride, padding)
    return row_bytes(core, taps, in_shape[3], window)


def depthwise_wrapper_bytes(
    core: Core,
    options: Mapping[str, Any],
    in_shape: Shape,
    filter_shape: Shape,
    out_shape: Shape,
    is_int4: bool,
) -> int:
    """``arm_depthwise_conv_wrapper_s8_get_buffer_size`` and its ``_s4`` sibling.

    The fast convolution (batch 1, depth multiplier 1, no dilation) has a buffer; 3x3 filters of
    int8 have a kernel without one, but not for MVE. There, a single input channel is convolved
    with a transposed copy of the filter.
    """
    _, height, width, channels = filter_shape[:4]
    if not is_int4 and has_mve(core) and in_shape[3] == 1 and out_shape[3] > _MVE_AS_CONVOLUTION:
        as_convolution = (channels, height, width, filter_shape[0])
        own = convolution_bytes(core, options, in_shape, as_convolution, out_shape)
        return own + channels * height * width * filter_shape[0]
    dilation = options.get("dilation_h_factor", 0), options.get("dilation_w_factor", 0)
    if in_shape[3] != out_shape[3] or in_shape[0] != 1 or dilation != (1, 1):
        return 0
    if not is_int4 and not has_mve(core) and (height, width) == (3, 3):
        padding = padding_of(options, in_shape[1:3], (height, width))
        if padding.height <= 1 and padding.width <= 1:
            return 0
    return depthwise_bytes(core, in_shape[3], height * width, is_int4)


def depthwise_bytes(core: Core, channels: int, taps: int, is_int4: bool) -> int:
    """``arm_depthwise_conv_s8_opt_get_buffer_size`` and its ``_s4`` sibling, which has no plain C.

    One column of the input as 16-bit values, or one of each of four positions for MVE.
    """
    if has_mve(core):
        return 4 * MVE_DEPTHWISE_BLOCK * taps
    return channels * taps * INT16_BYTES if is_int4 or has_dsp(core) else 0


def average_pool_bytes(core: Core, channels: int) -> int:
    """``arm_avgpool_s8_get_buffer_size`` and its ``s16`` sibling: sums of a row of channels."""
    return channels * INT32_BYTES if has_dsp(core) else 0


def kernel_sum_bytes(core: Core, outputs: int) -> int:
    """``arm_fully_connected_s8_get_buffer_size`` and that of SVDF: a sum for each output."""
    return outputs * INT32_BYTES if has_mve(core) else 0


def _rounded_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _quotient(dividend: int, divisor: int) -> int:
    """C's division, towards zero."""
    return int(dividend / divisor) if divisor else 0
