"""Sizes of ESP-NN's buffers, in bytes. Mirrors esp_nn_conv_esp32s3.c, esp_nn_conv_esp32p4.c and
esp_nn_depthwise_conv_s8_esp32s3.c."""

from __future__ import annotations

from predictor.operators.esp_nn.window import Window
from predictor.operators.quantized import INT16_BYTES, INT32_BYTES
from predictor.operators.sizes import align_up

_VECTOR = 16
_TRANSPOSED_PIXELS = 8
_S3_MARGIN, _P4_MARGIN = 64, 32
_S3_WHOLE_INPUT_BYTES, _S3_WHOLE_WORDS_BYTES = 40 * 1024, 48 * 1024
_P4_CACHE_BYTES = 32 * 1024


def _pointwise(window: Window, margin: int) -> int:
    channels = align_up(window.in_channels, 8)
    transposed = 0 if window.pixels < _TRANSPOSED_PIXELS else 2 * _TRANSPOSED_PIXELS * channels
    padded_input = window.pixels * channels if window.in_channels % 8 else 0
    return padded_input + channels * window.out_channels + transposed + margin


def conv_s3(window: Window) -> int:
    """``esp_nn_get_conv_scratch_size_esp32s3``."""
    if window.is_pointwise:
        return _pointwise(window, _S3_MARGIN)
    height, width = window.filter
    depth, channels = window.in_channels, window.out_channels
    row, column = width * depth, window.taps * depth
    sums = channels * INT32_BYTES
    if row < _VECTOR <= column:
        aligned = align_up(column, _VECTOR)
        return sums + _VECTOR + channels * aligned + _VECTOR + aligned + _S3_MARGIN
    padded = 0
    if window.is_padded:
        (in_height, in_width), (above, left) = window.input, window.padding
        padded = (in_width + 2 * left) * (in_height + 2 * above) * depth
    filters = window.taps * align_up(depth, _VECTOR) * channels
    rows = align_up(row, _VECTOR) * height * channels
    below, right = window.reach()
    reached = (window.input[1] + right) * (window.input[0] + below) * depth
    edge = reached if below or right else 0
    return padded + filters + rows + edge + _S3_MARGIN + sums


def conv_p4(window: Window) -> int:
    """``esp_nn_get_conv_scratch_size_esp32p4``."""
    depth, channels = window.in_channels, window.out_channels
    sums = channels * INT32_BYTES
    if window.is_pointwise:
        if depth < _VECTOR:
            return sums + _VECTOR * channels + 2 * _VECTOR + _P4_MARGIN
        return _pointwise(window, _P4_MARGIN)
    width = window.filter[1]
    filters = window.taps * align_up(depth, _VECTOR) * channels
    if not window.is_padded and width * depth >= _VECTOR:
        return filters + _P4_MARGIN + sums
    if window.taps * depth >= _VECTOR:
        return sums + window.taps * depth + _P4_MARGIN
    widened = align_up(-(-_VECTOR // width), _VECTOR)
    if not window.is_padded:
        filters = window.taps * widened * channels
        return sums + filters + window.pixels * widened + _P4_MARGIN
    in_width = window.input[1] + 2 * window.padding[1]
    padded = in_width * (window.input[0] + 2 * window.padding[0]) * depth
    if padded + sums > _P4_CACHE_BYTES:
        return _p4_tile(window, in_width * widened, window.taps * widened * channels, sums)
    return padded + filters + _P4_MARGIN + sums


def _p4_tile(window: Window, row_bytes: int, filter_bytes: int, sums: int) -> int:
    """As many rows of the output at once as fit into the cache."""
    height, stride, rows = window.filter[0], window.stride[0], 1
    budget = _P4_CACHE_BYTES - sums - filter_bytes
    if budget > 0 and height * row_bytes <= budget:
        rows = (budget - height * row_bytes) // (stride * row_bytes) + 1
        rows = min(rows, window.output[0])
    tile = ((rows - 1) * stride + height + 2 * window.padding[0]) * row_bytes
    return tile + filter_bytes + _P4_MARGIN + sums


def depthwise_s3(window: Window, multiplier: int) -> int:
    """``esp_nn_get_depthwise_conv_scratch_size_esp32s3``."""
    channels = window.in_channels
    filters = window.taps * channels * multiplier
    if multiplier == 1 and channels % 8 == 0:
        if window.filter == (3, 3) and channels > 8:
            return _depthwise_3x3(window, filters)
        words = INT16_BYTES * (filters + window.pixels * channels)
        if window.filter == (3, 3) or words <= _S3_WHOLE_WORDS_BYTES:
            return words + 32
        strip = window.input[1] * window.filter[0] * channels
        return INT16_BYTES * (filters + strip) + 32
    if multiplier == 1 and channels > 3:
        return _depthwise_widened(window)
    if multiplier % 4 == 0:
        return INT16_BYTES * (filters + window.pixels * channels) + 32
    return 32


def _depthwise_3x3(window: Window, filters: int) -> int:
    channels, (in_height, in_width) = window.in_channels, window.input
    above, left = (2 * side for side in window.padding)
    if channels % _VECTOR:
        below, right = window.reach()
        widened = align_up(channels, _VECTOR)
        padded = (in_width + left + right) * (in_height + above + below) * widened
        output = window.output[0] * window.output[1] * widened
        return window.taps * widened + padded + output + 64
    if not window.is_padded:
        above, left = (
            out * stride + size - 1 - given
            for out, stride, size, given in zip(
                window.output, window.stride, window.filter, window.input, strict=True
            )
        )
    if not above and not left:
        return filters + _VECTOR
    padded = (in_width + left) * (in_height + above) * channels
    if padded > _S3_WHOLE_INPUT_BYTES:
        padded = (in_width + left) * window.filter[0] * channels
    return filters + padded + _VECTOR


def _depthwise_widened(window: Window) -> int:
    """Channels padded to a multiple of 8: filter, input, output, three words for each channel."""
    channels = align_up(window.in_channels, 8)
    end = align_up(INT16_BYTES * window.taps * channels, _VECTOR)
    end = align_up(end + INT16_BYTES * window.pixels * channels, _VECTOR)
    end = align_up(end + window.output[0] * window.output[1] * channels, _VECTOR)
    return end + 3 * channels * INT32_BYTES + _VECTOR
