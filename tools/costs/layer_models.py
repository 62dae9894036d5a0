"""Models of layers of random shapes, from which the costs of kernels' loops are fitted."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.device.device_model import device_model, preparable
from predictor.model.graph import Quantization
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from tools.costs.chains import chain, in_rows, whole
from tools.costs.rare_contents import with_rare_contents

MODELS: Mapping[str, int] = MappingProxyType(
    {
        "conv": 30, "depthwise": 16, "connected": 8, "pool": 8, "elements": 16, "graph": 40,
        "int16": 12, "float": 12, "int4": 8, "spread": 6, "wide16": 4,
        "small": 24, "graph-2020": 30,
        "conv-device": 16, "depthwise-device": 12, "connected-device": 6, "pool-device": 6,
        "elements-device": 8, "int4-device": 8, "small-device": 10, "four_bits-device": 40,
        "depthwise-prepared": 10, "four_bits-prepared": 10, "clamped": 10, "clamped-device": 8,
        "deep": 3, "deep-device": 2, "rare": 12, "rare-device": 8, "rare-prepared": 4,
        "values": 14, "values-device": 14, "repeated-device": 4,
        "chain-stream": 24, "whole-stream": 8,
    }
)  # fmt: skip
"""Kinds of models with how many seeds are counted of each. Behind a hyphen: what mid-2020's TFLM
runs, device models, those with prepared filters, and those with groups of layers in rows."""
_DEVICE_FORMS = ("device", "prepared", "stream")
LAYERS = 8
CHANNELS = (1, 2, 3, 4, 5, 7, 8, 12, 15, 16, 17, 18, 19, 24, 31, 32, 33, 40, 64, 66, 96, 138)
MAX_MACS = 250_000

Layer = Callable[[ModelBuilder, random.Random], TensorRef | None]


def layer_model(name: str) -> bytes:
    """The file of the model that ``kind:seed`` names; ``kind`` is one of ``MODELS``."""
    family, seed = name.split(":")
    kind, _, form = family.partition("-")
    content = _built(kind, form, name, int(seed)).build()
    if kind == "rare":
        content = write_model(with_rare_contents(read_graph(content), random.Random(name)))
    if form not in _DEVICE_FORMS:
        return content
    graph = read_graph(content)
    if form == "stream":
        return write_model(in_rows(graph, random.Random(name)))
    prepared = preparable(graph) if form == "prepared" else ()
    return write_model(device_model(graph, prepared=prepared))


def is_device_model(name: str) -> bool:
    """Whether a model is one of custom operators."""
    return name.partition(":")[0].partition("-")[2] in _DEVICE_FORMS


def _built(kind: str, form: str, name: str, seed: int) -> ModelBuilder:
    if kind == "graph":
        return random_graph(seed, max_operators=30, mid_2020=form == "2020")
    builder, chance = ModelBuilder(name, seed=seed), random.Random(name)
    made: list[TensorRef] = []
    while len(made) < LAYERS:
        found = _LAYERS[kind](builder, chance)
        if found is not None:
            made.append(found)
    builder.output(*made)
    return builder


def _image(builder: ModelBuilder, chance: random.Random, most: int = 16) -> TensorRef:
    height, width = chance.randint(1, most), chance.randint(1, most)
    return builder.input((1, height, width, chance.choice(CHANNELS)))


def _conv(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    height, width, depth = chance.randint(1, 14), chance.randint(1, 14), chance.choice(CHANNELS)
    channels = chance.choice(CHANNELS)
    kernel = chance.choice((1, 1, 1, 2, 3, 3, 3, 5, (3, 1), (1, 3), (10, 4)))
    window = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    padding = chance.choice(("same", "same", "valid"))
    is_small = height < window[0] or width < window[1]
    macs = height * width * depth * channels * window[0] * window[1]
    if macs > MAX_MACS or (is_small and padding == "valid"):
        return None
    dilation = chance.choice((1, 1, 1, 1, 2)) if padding == "same" else 1
    stride = 1 if dilation > 1 else chance.choice((1, 1, 1, 2))
    return builder.conv_2d(
        builder.input((1, height, width, depth)),
        channels,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=padding,
        activation=chance.choice(("none", "relu")),
        bias=chance.random() < 0.9,
    )


def _depthwise(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    x = _image(builder, chance)
    _, height, width, depth = x.shape
    kernel = chance.choice((3, 3, 3, 3, 2, 5, (3, 1), (1, 3), (5, 3)))
    multiplier = chance.choice((1, 1, 1, 1, 1, 2, 3, 4, 8)) if depth <= 8 else 1
    window = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    padding = chance.choice(("same", "same", "valid"))
    if padding == "valid" and (height < window[0] or width < window[1]):
        padding = "same"
    dilation = chance.choice((1, 1, 1, 1, 1, 2)) if padding == "same" else 1
    return builder.depthwise_conv_2d(
        x,
        kernel=kernel,
        multiplier=multiplier,
        stride=1 if dilation > 1 else chance.choice((1, 1, 2)),
        dilation=dilation,
        padding=padding,
    )


def _connected(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    depth, outs = chance.randint(1, 300), chance.randint(1, 140)
    return builder.fully_connected(
        builder.input((chance.choice((1, 1, 1, 1, 2, 3, 5)), depth)),
        outs,
        activation=chance.choice(("none", "relu")),
        bias=chance.random() < 0.9,
    )


def _deep(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    """Rows of weights too deep for a column of widened inputs, and just below."""
    depth = chance.choice((1000, 1024, 1025, 1030, 1500, 2047, 2600, 4000))
    flat = builder.input((chance.choice((1, 1, 2)), depth))
    return builder.fully_connected(flat, chance.randint(1, 30), bias=chance.random() < 0.8)


def _pool(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    x = _image(builder, chance)
    method = chance.choice((builder.average_pool_2d, builder.max_pool_2d))
    padding = chance.choice(("same", "valid"))
    kernel = chance.choice((2, 2, 3, 5, (2, 1), (1, 4)))
    window = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    if x.shape[1] < window[0] or x.shape[2] < window[1]:
        padding = "same"
    if chance.random() < 0.2 and x.shape[1] * x.shape[2] > 1:
        return builder.average_pool_2d(x)
    return method(x, kernel=kernel, stride=chance.choice((1, 2)), padding=padding)


def _elements(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    x = _image(builder, chance, 10)
    choice = chance.randint(0, 15)
    shape = x.shape
    if choice < 4:
        other = shape if chance.random() < 0.7 else (1, 1, 1, shape[3])
        method = (builder.add, builder.sub, builder.mul, builder.maximum)[choice]
        return method(x, builder.input(other))
    unary: tuple[Callable[..., TensorRef], ...] = (
        builder.relu, builder.relu6, builder.leaky_relu, builder.hard_swish, builder.logistic,
        builder.tanh, builder.softmax, builder.quantize, builder.mean,
    )  # fmt: skip
    if choice < 12:
        return unary[choice - 4](x)
    if choice == 12:
        return builder.mean(x, (1, 2), keep_dims=chance.random() < 0.5)
    if choice == 13:
        pads = ((0, 0), (chance.randint(0, 2), 1), (1, chance.randint(0, 2)), (0, 0))
        return builder.pad(x, pads)
    if choice == 14:
        beside = builder.input((1, shape[1], shape[2], chance.choice(CHANNELS)))
        return builder.concatenation([x, beside], axis=3)
    return builder.transpose(x, (0, 2, 1, 3))


def _repeated_input(builder: ModelBuilder, chance: random.Random, x: TensorRef) -> TensorRef:
    """An input of the shape of another, or one that is repeated to it."""
    _, height, width, depth = x.shape
    others = ((1, 1, 1, depth), (1, height, width, 1), (1, 1, 1, 1), (1, 1, width, 1))
    return builder.input(chance.choice((x.shape, x.shape, *others)))


def _repeated(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    """ADD, which only device models run with a kernel of the project where an input is repeated."""
    x = _image(builder, chance, 9)
    return builder.add(x, _repeated_input(builder, chance, x))


def _values(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    """Activations by a table, operators of two tensors of which one may be repeated, means."""
    x, choice = _image(builder, chance, 9), chance.randint(0, 9)
    if choice < 6:
        methods = (builder.sub, builder.mul, builder.maximum, builder.minimum)
        return chance.choice(methods)(x, _repeated_input(builder, chance, x))
    if choice < 9:
        axes = chance.choice(((1, 2), (1, 2), (3,), (1,), (2, 3), (1, 2, 3)))
        return builder.mean(x, axes, keep_dims=chance.random() < 0.5)
    if chance.random() < 0.5:
        return builder.pad(x, [(0, chance.randint(0, 2)) for _ in x.shape])
    return chance.choice((builder.relu6, builder.logistic))(x)


def _small(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    """Layers whose call weighs as much as their loops."""
    depth = chance.randint(1, 20)
    flat = builder.input((chance.choice((1, 1, 1, 2)), depth))
    choice = chance.randint(0, 9)
    if choice < 4:
        return builder.fully_connected(flat, chance.randint(1, 20), bias=chance.random() < 0.8)
    if choice < 6:
        shape = chance.choice(((-1, depth), (1, -1, 1, depth), (-1,), (1, 1, -1)))
        return builder.reshape(flat, shape)
    image = builder.input((1, chance.randint(1, 3), chance.randint(1, 3), chance.randint(1, 6)))
    if choice == 6:
        return builder.conv_2d(image, chance.randint(1, 6), kernel=chance.randint(1, 3))
    if choice == 7:
        return builder.depthwise_conv_2d(image, kernel=chance.randint(1, 3))
    if choice == 8:
        return chance.choice((builder.average_pool_2d, builder.max_pool_2d))(
            image, kernel=2, padding="same"
        )
    return chance.choice((builder.softmax, builder.logistic, builder.quantize))(flat)


def _int16(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    return _of_type(builder, chance, "int16", None)


def _wide16(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    """Convolutions of int16 with more products than fit a sum of 32 bit, and just below."""
    depth, kernel = chance.choice((40, 48, 56, 64, 72)), chance.choice((3, (3, 4), (4, 4)))
    x = builder.input((1, chance.randint(3, 6), chance.randint(4, 8), depth), "int16")
    padding = chance.choice(("same", "valid"))
    if padding == "valid" and x.shape[1] < 4:
        return None
    return builder.conv_2d(x, chance.choice((8, 16, 17, 32)), kernel=kernel, padding=padding)


def _float(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    return _of_type(builder, chance, "float32", None)


def _int4(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    return _of_type(builder, chance, "int8", "int4")


def _clamped(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    """Small layers with a fused ReLU6, which limits more than the type does; weights of 8 or 4
    bits, also fewer than a word of them."""
    height, width, depth = chance.randint(1, 8), chance.randint(1, 8), chance.randint(1, 20)
    x = builder.input((1, height, width, depth))
    channels, weights = chance.randint(1, 24), chance.choice((None, None, "int4"))
    kernel, choice = chance.choice((1, 1, 2, 3)), chance.randint(0, 9)
    common: dict[str, Any] = {"weights": weights, "activation": "relu6"}
    common["quantization"] = Quantization((0.04,), (-128,))
    if choice < 4:
        return builder.conv_2d(x, channels, kernel=kernel, **common)
    if choice < 6:
        return builder.depthwise_conv_2d(x, kernel=3, **common)
    if choice < 8:
        flat = builder.input((chance.choice((1, 1, 2, 3)), depth))
        return builder.fully_connected(flat, channels, **common)
    if choice == 8:
        return builder.add(x, builder.input(x.shape))
    return builder.softmax(builder.input((chance.choice((1, 2)), depth)))


def _rare(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    """A layer with weights, whose constants are changed later."""
    height, width, depth = chance.randint(1, 8), chance.randint(1, 8), chance.choice(CHANNELS[:19])
    channels, weights = chance.choice(CHANNELS), chance.choice((None, None, "int4"))
    kernel, choice = chance.choice((1, 1, 2, 3)), chance.randint(0, 9)
    bias = chance.random() < 0.8
    if choice >= 7:
        flat = builder.input((chance.choice((1, 1, 2, 3)), chance.randint(1, 100)))
        per_channel = chance.random() < 0.4
        return builder.fully_connected(
            flat, channels, weights=weights, bias=bias, per_channel=per_channel
        )
    if choice < 4 and height * width * depth * channels * kernel**2 > MAX_MACS:
        return None
    x = builder.input((1, height, width, depth))
    if choice < 4:
        return builder.conv_2d(x, channels, kernel=kernel, weights=weights, bias=bias)
    kernel = chance.choice((1, 2, 3, 3, 5))
    return builder.depthwise_conv_2d(x, kernel=kernel, weights=weights, bias=bias)


def _four_bits(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    """A layer of 4-bit activations between 8-bit input and output."""
    size = chance.randint(1, 10), chance.randint(1, 10)
    choice, depth = chance.randint(0, 15), chance.choice(CHANNELS[:19])
    x = builder.quantize(builder.input((1, *size, depth)), "int4")
    weights = chance.choice((None, None, "int8"))
    if choice < 7:
        kernel, channels = chance.choice((1, 1, 3, 3, 2, (3, 4))), chance.choice(CHANNELS[:19])
        if size[0] * size[1] * depth * channels * (1 if kernel == 1 else 9) > 2 * MAX_MACS:
            return None
        stride, activation = chance.choice((1, 1, 2)), chance.choice(("none", "relu"))
        y = builder.conv_2d(
            x, channels, kernel=kernel, stride=stride, weights=weights, activation=activation
        )
    elif choice < 10:
        kernel, stride = chance.choice((2, 3, 3, 5)), chance.choice((1, 1, 2))
        multiplier = chance.choice((1, 1, 1, 2))
        y = builder.depthwise_conv_2d(
            x, kernel=kernel, multiplier=multiplier, stride=stride, weights=weights
        )
    elif choice < 12:
        flat = builder.quantize(builder.input((1, chance.choice((3, 6, depth, 300)))), "int4")
        y = builder.fully_connected(flat, chance.randint(1, 100), weights=weights)
    elif choice < 14:
        method = chance.choice((builder.average_pool_2d, builder.max_pool_2d))
        y = method(x, kernel=chance.choice((2, 3)), stride=chance.choice((1, 2)), padding="same")
    elif choice == 14:
        pads = ((0, 0), (chance.randint(0, 2), 1), (1, chance.randint(0, 2)), (0, 0))
        y = chance.choice((builder.pad(x, pads), builder.relu6(x)))
    else:
        other = builder.quantize(builder.input((1, *size, depth)), "int4")
        y = builder.add(x, other)
    return builder.quantize(y, "int8")


def _spread(builder: ModelBuilder, chance: random.Random) -> TensorRef | None:
    """Transposed convolutions, with more and with fewer channels than CMSIS-NN's limit."""
    depth = chance.choice((4, 8, 12, 16, 17, 20, 24, 32))
    x = builder.input((1, chance.randint(1, 8), chance.randint(1, 8), depth))
    kernel, stride = chance.choice((2, 3, 4)), chance.choice((1, 2, 2, 3))
    return builder.transpose_conv(x, chance.choice((4, 8, 12)), kernel=kernel, stride=stride)


def _of_type(
    builder: ModelBuilder, chance: random.Random, type: str, weights: str | None
) -> TensorRef | None:
    """Layers of other types than int8."""
    shape = (1, chance.randint(1, 10), chance.randint(1, 10), chance.choice(CHANNELS[:16]))
    x = builder.input(shape, type)
    choice = chance.randint(0, 4 if weights else 13)
    if choice < 2:
        kernel = chance.choice((1, 3, 3, (3, 4)))
        macs = shape[1] * shape[2] * shape[3] * (1 if kernel == 1 else 9)
        channels = chance.choice([c for c in CHANNELS if c * macs <= MAX_MACS] or [1])
        stride = chance.choice((1, 1, 2))
        return builder.conv_2d(x, channels, kernel=kernel, stride=stride, weights=weights)
    if choice == 2:
        return builder.depthwise_conv_2d(x, kernel=chance.choice((2, 3, 3)), weights=weights)
    if choice < 5:
        flat = builder.input((chance.choice((1, 1, 2)), chance.randint(1, 300)), type)
        return builder.fully_connected(flat, chance.randint(1, 100), weights=weights)
    if choice < 8:
        other = shape if chance.random() < 0.6 else (1, 1, 1, shape[3])
        method = (builder.add, builder.sub, builder.mul)[choice - 5]
        return method(x, builder.input(other, type))
    if choice == 8:
        pads = ((0, 0), (chance.randint(0, 2), 1), (1, chance.randint(0, 2)), (0, 0))
        return builder.pad(x, pads)
    if choice == 9:
        return builder.transpose(x, (0, 2, 1, 3))
    methods: tuple[Callable[..., TensorRef], ...] = (
        builder.softmax, builder.logistic, builder.leaky_relu, builder.relu,
    )  # fmt: skip
    return methods[choice - 10](x)


_LAYERS: Mapping[str, Layer] = MappingProxyType(
    {
        "conv": _conv,
        "depthwise": _depthwise,
        "connected": _connected,
        "deep": _deep,
        "pool": _pool,
        "elements": _elements,
        "int16": _int16,
        "float": _float,
        "int4": _int4,
        "spread": _spread,
        "chain": chain,
        "whole": whole,
        "wide16": _wide16,
        "small": _small,
        "values": _values,
        "repeated": _repeated,
        "four_bits": _four_bits,
        "clamped": _clamped,
        "rare": _rare,
    }
)
