"""The operators' definitions in numpy: TFLite's quantisation specification on whole arrays."""

from __future__ import annotations

import numpy as np

from kernels.calls import Layer
from predictor.model.device.packing import unpack


def scale(values: np.ndarray, multiplier: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """MultiplyByQuantizedMultiplier with two roundings; `values` are int32 in an int64 array."""
    left = np.maximum(shift, 0)
    right = np.maximum(-shift, 0)
    shifted = _int32(values << left)
    high = (shifted * multiplier.astype(np.int64) + (1 << 30)) >> 31
    half = np.where(right > 0, 1 << np.maximum(right - 1, 0), 0)
    rounded = (np.abs(high) + half) >> right
    return np.where(high < 0, -rounded, rounded)


def _int32(values: np.ndarray) -> np.ndarray:
    """Values modulo 2^32 as signed numbers."""
    return (values + (1 << 31)) % (1 << 32) - (1 << 31)


def _finish(sums: np.ndarray, layer: Layer) -> np.ndarray:
    multiplier, shift = layer.multiplier, layer.shift
    if layer.bias is not None:
        sums = sums + layer.bias
    scaled = _int32(scale(_int32(sums), multiplier, shift) + layer.output_offset)
    return np.clip(scaled, *layer.activation).astype(np.int8)


def _windows(layer: Layer, image: np.ndarray) -> np.ndarray:
    """[n, out h, out w, kernel h, kernel w, c] of inputs with the offset added, 0 as padding."""
    _, height, width, _ = layer.input_dims
    n, out_h, out_w, _ = layer.output_dims
    _, kernel_h, kernel_w, _ = layer.filter_dims
    result = np.zeros((n, out_h, out_w, kernel_h, kernel_w, image.shape[3]), np.int64)
    for oy, ox, ky, kx in np.ndindex(out_h, out_w, kernel_h, kernel_w):
        y = oy * layer.stride[0] - layer.padding[0] + ky * layer.dilation[0]
        x = ox * layer.stride[1] - layer.padding[1] + kx * layer.dilation[1]
        if 0 <= y < height and 0 <= x < width:
            result[:, oy, ox, ky, kx] = image[:, y, x]
    return result


def _offset_input(layer: Layer, data: np.ndarray) -> np.ndarray:
    values = unpack(data, int(np.prod(layer.input_dims)), layer.activations)
    return values.reshape(layer.input_dims).astype(np.int64) + layer.input_offset


def _filter(layer: Layer) -> np.ndarray:
    values = unpack(layer.filter, int(np.prod(layer.filter_dims)), layer.weights)
    return values.reshape(layer.filter_dims).astype(np.int64)


def convolve(layer: Layer, data: np.ndarray) -> np.ndarray:
    """int8 values of the output, [n, h, w, c]."""
    windows = _windows(layer, _offset_input(layer, data))
    groups = layer.input_dims[3] // layer.filter_dims[3]
    parts = [
        np.einsum("nyxhwc,ohwc->nyxo", inputs, weights)
        for inputs, weights in zip(
            np.split(windows, groups, axis=5), np.split(_filter(layer), groups), strict=True
        )
    ]
    return _finish(np.concatenate(parts, axis=3), layer)


def depthwise(layer: Layer, data: np.ndarray) -> np.ndarray:
    """int8 values of the output, [n, h, w, c]."""
    image = np.repeat(_offset_input(layer, data), layer.multiplier_of_channels, axis=3)
    sums = np.einsum("nyxhwc,hwc->nyxc", _windows(layer, image), _filter(layer)[0])
    return _finish(sums, layer)


def fully_connected(layer: Layer, data: np.ndarray) -> np.ndarray:
    """int8 values of the output, [n, 1, 1, c]."""
    inputs = _offset_input(layer, data).reshape(layer.input_dims[0], -1)
    weights = _filter(layer).reshape(layer.filter_dims[0], -1)
    return _finish(inputs @ weights.T, layer).reshape(layer.output_dims)


GOLDEN = {"convolve": convolve, "depthwise": depthwise, "fully_connected": fully_connected}


def pool(operator: str, layer: Layer, data: np.ndarray) -> np.ndarray:
    """int8 values of "avgpool" or "max_pool"; the layer's filter gives the window."""
    image = unpack(data, int(np.prod(layer.input_dims)), layer.activations).astype(np.int64)
    windows = _windows(layer, image.reshape(layer.input_dims))
    inside = _windows(layer, np.ones(layer.input_dims, np.int64))
    count = inside.sum(axis=(3, 4))
    if operator == "max_pool":
        result = np.where(inside > 0, windows, -(1 << 40)).max(axis=(3, 4))
    else:
        sums = windows.sum(axis=(3, 4))
        rounded = (np.abs(sums) + count // 2) // count
        result = np.where(sums < 0, -rounded, rounded)
    return np.clip(result, *layer.activation).astype(np.int8)
