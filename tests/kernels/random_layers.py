"""Random layers and data for every kernel, with the extremes often among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kernels.calls import Layer
from predictor.model.device.options import PREPARED_BITS, Tables, WeightedOptions
from predictor.model.device.packing import pack, unpack
from predictor.model.device.prepared_filter import filter_weights, prepare_filter

OPERATORS = ("convolve", "depthwise", "fully_connected")
BIT_WIDTHS = ((8, 8), (8, 4), (4, 4), (4, 8))


def bounds(bits: int) -> tuple[int, int]:
    """Lowest and highest value of a signed type."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def tensor(rng: np.random.Generator, elements: int, bits: int) -> np.ndarray:
    """A stored tensor of random elements, one in six all at an extreme."""
    low, high = bounds(bits)
    values = rng.integers(low, high + 1, elements)
    if rng.random() < 1 / 6:
        values[:] = rng.choice([low, high])
    return pack(values, bits)


def _value(rng: np.random.Generator, bits: int) -> int:
    low, high = bounds(bits)
    return int(rng.choice([low, high, rng.integers(low, high + 1)]))


def activation(rng: np.random.Generator, bits: int) -> tuple[int, int]:
    """Usually the whole range of the type, else two random bounds."""
    low, high = bounds(bits)
    if rng.random() < 0.6:
        return low, high
    first, second = sorted(rng.integers(low, high + 1, 2))
    return int(first), int(second)


def _quantization(
    rng: np.random.Generator, weights: int, depth: int, channels: int
) -> dict[str, object]:
    """Shifts that spread the outputs over the type's range, sometimes any shift or bias."""
    multiplier = rng.integers(1 << 30, 1 << 31, channels).astype(np.int32)
    # A sum's spread over that of an output: that of the weights times the root of the depth.
    spread_bits = (6.5 if weights == 8 else 2.5) + np.log2(depth) / 2
    shift = np.full(channels, -int(spread_bits), np.int32)
    shift -= rng.integers(-1, 3, channels).astype(np.int32)
    kind = rng.random()
    if kind < 0.1:
        shift = rng.integers(-31, 31, channels).astype(np.int32)
    elif kind < 0.15:
        multiplier[rng.integers(channels)] = 0
    limit = 1 << 31 if rng.random() < 0.1 else 2000
    bias = rng.integers(-limit, limit, channels).astype(np.int32)
    return {
        "multiplier": multiplier,
        "shift": shift,
        "bias": None if rng.random() < 0.15 else bias,
    }


def _window(rng: np.random.Generator) -> dict[str, tuple[int, int]]:
    stride = tuple(map(int, rng.integers(1, 4, 2)))
    dilation = tuple(map(int, rng.choice([1, 1, 2, 3], 2)))
    padding = (0, 0) if rng.random() < 0.3 else tuple(map(int, rng.integers(0, 4, 2)))
    return {"stride": stride, "dilation": dilation, "padding": padding}  # type: ignore[dict-item]


def _output_size(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return max((size + 2 * padding - (kernel - 1) * dilation - 1) // stride + 1, 1)


def layer(
    rng: np.random.Generator, operator: str, bit_widths: tuple[int, int], channels: int | None
) -> tuple[Layer, np.ndarray]:
    """A random layer and its input; `channels` are the input's per group, or random."""
    activations, weights = bit_widths
    groups = int(rng.choice([1, 1, 1, 2, 3])) if operator == "convolve" else 1
    depth = channels or int(rng.integers(1, 40))
    inputs = depth * groups
    n, height, width = int(rng.integers(1, 3)), *map(int, rng.integers(1, 9, 2))
    kernel = (1, 1) if rng.random() < 0.35 else tuple(map(int, rng.integers(1, 5, 2)))
    window = _window(rng)
    sizes = [
        _output_size(size, kernel[axis], *(window[k][axis] for k in ("stride", "padding")),
                     window["dilation"][axis])
        for axis, size in enumerate((height, width))
    ]  # fmt: skip
    multiplier = int(rng.choice([1, 1, 1, 2, 5])) if operator == "depthwise" else 1
    outputs = inputs * multiplier if operator == "depthwise" else groups * int(rng.integers(1, 12))
    input_dims = (n, height, width, inputs)
    output_dims = (n, *sizes, outputs)
    filter_dims = (outputs, *kernel, depth)
    if operator == "depthwise":
        filter_dims = (1, *kernel, outputs)
    elif operator == "fully_connected":
        window = {}
        output_dims = (n, 1, 1, outputs)
        filter_dims = (outputs, height, width, inputs)
    taps = int(np.prod(filter_dims[1:3])) * (1 if operator == "depthwise" else filter_dims[3])
    per_channel = operator != "fully_connected" or rng.random() < 0.5
    quantization = _quantization(rng, weights, taps, outputs)
    if not per_channel:
        quantization |= {k: quantization[k][:1] for k in ("multiplier", "shift")}  # type: ignore[index]
    built = Layer(
        activations=activations,
        weights=weights,
        input_dims=input_dims,
        filter_dims=filter_dims,  # type: ignore[arg-type]
        output_dims=output_dims,  # type: ignore[arg-type]
        filter=tensor(rng, int(np.prod(filter_dims)), weights),
        input_offset=-_value(rng, activations),
        output_offset=_value(rng, activations),
        activation=activation(rng, activations),
        multiplier_of_channels=multiplier,
        per_channel=bool(per_channel),
        **quantization,  # type: ignore[arg-type]
        **window,
    )
    return built, tensor(rng, int(np.prod(input_dims)), activations)


def pooling_layer(rng: np.random.Generator, bits: int) -> tuple[Layer, np.ndarray]:
    """A random pooling, all of whose windows hold an element, and its input."""
    channels = int(rng.integers(1, 20))
    n, height, width = int(rng.integers(1, 3)), *map(int, rng.integers(1, 20, 2))
    kernel = tuple(int(rng.integers(1, size + 1)) for size in (height, width))
    stride = tuple(map(int, rng.integers(1, 4, 2)))
    padding = tuple(int(rng.integers(0, k)) for k in kernel)
    sizes = [
        min(_output_size(size, kernel[a], stride[a], padding[a], 1),
            (size + padding[a] - 1) // stride[a] + 1)
        for a, size in enumerate((height, width))
    ]  # fmt: skip
    empty = np.zeros(0, np.int32)
    built = Layer(
        activations=bits,
        weights=8,
        input_dims=(n, height, width, channels),
        filter_dims=(1, kernel[0], kernel[1], 1),
        output_dims=(n, sizes[0], sizes[1], channels),
        filter=np.zeros(0, np.int8),
        bias=None,
        multiplier=empty,
        shift=empty,
        input_offset=0,
        output_offset=0,
        activation=activation(rng, bits),
        stride=stride,  # type: ignore[arg-type]
        padding=padding,  # type: ignore[arg-type]
    )
    return built, tensor(rng, n * height * width * channels, bits)


_NAMES = {
    "convolve": "CONV_2D",
    "depthwise": "DEPTHWISE_CONV_2D",
    "fully_connected": "FULLY_CONNECTED",
}


def options_of(operator: str, layer: Layer) -> WeightedOptions:
    """The layer as a custom operator's options, without tables."""
    input_dims, filter_dims = layer.input_dims, layer.filter_dims
    if operator == "fully_connected":
        depth = int(np.prod(input_dims[1:]))
        input_dims, filter_dims = (input_dims[0], 1, 1, depth), (filter_dims[0], 1, 1, depth)
    return WeightedOptions(
        _NAMES[operator],
        layer.activations,
        layer.weights,
        input_dims,
        filter_dims,
        layer.output_dims,
        layer.input_offset,
        layer.output_offset,
        layer.activation,
        Tables((), ()),
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.multiplier_of_channels,
    )


def forms(operator: str, layer: Layer) -> tuple[Layer, ...]:
    """The layer, and where its filter can be prepared, the layer with it."""
    return (layer, with_prepared_filter(layer)) if operator == "depthwise" else (layer,)


def with_prepared_filter(layer: Layer) -> Layer:
    """The same depthwise layer with its filter and bias prepared."""
    weights = unpack(layer.filter, int(np.prod(layer.filter_dims)), layer.weights)
    options = options_of("depthwise", layer)
    by_tap = weights.reshape(-1, layer.filter_dims[3])
    prepared = prepare_filter(options, by_tap, layer.bias)
    np.testing.assert_array_equal(
        filter_weights(replace(options, weight_bits=PREPARED_BITS), prepared), by_tap
    )
    filter = np.frombuffer(prepared, np.int32).view(np.int8)
    return layer.moved(weights=PREPARED_BITS, filter=filter, bias=None)
