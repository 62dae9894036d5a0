"""Random single layers, and random models out of a backbone.

The paper (section 3.2) samples layers of many types and sizes, and (3.3) whole models from a
keyword spotting and an image classification backbone. It publishes neither list; these samples
follow what it says of its search spaces (5.2): DS-CNN(L) enlarged by four blocks, channels in
multiples of 4, each block kept or skipped; MobileNetV2 with each convolution at 10 to 100 % of its
width in multiples of 4, here on CIFAR10's images, for whose size its first convolution has stride
1. The greatest width of a model is drawn first: else the sum of many layers would make all models
of a backbone nearly equal in size.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, log
from types import MappingProxyType

from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.example_models import MOBILENET_V2_STAGES

LAYER_CONV, LAYER_DEPTHWISE, LAYER_CONNECTED = "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"
LAYERS = "layers"
CLASSES_KWS, CLASSES_IMAGE = 12, 10


@dataclass(frozen=True, slots=True)
class Subject:
    """One sample: which group it belongs to, and the seed that makes it again.

    ``space`` is what it was drawn from: ``layers`` or a backbone.
    """

    space: str
    index: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.space}-{self.index:04d}"

    def draw(self, attempt: int) -> tuple[str, ModelBuilder]:
        """(group, model): a layer's type or the backbone. Later attempts are other draws."""
        name = f"{self.seed}/{self.space}/{self.index}/{attempt}"
        chance = random.Random(name)
        builder = ModelBuilder(self.name, seed=chance.getrandbits(32))
        return SPACES[self.space](builder, chance), builder


def _layer(builder: ModelBuilder, chance: random.Random) -> str:
    """One layer of a random type and size; the sizes cover three decades of operations."""
    kind = chance.choice((LAYER_CONV, LAYER_CONV, LAYER_DEPTHWISE, LAYER_CONNECTED))
    if kind == LAYER_CONNECTED:
        x = builder.input((1, _channels(chance, 16, 1024)))
        builder.output(builder.fully_connected(x, _channels(chance, 8, 512)))
        return kind
    size = chance.choice((4, 6, 8, 12, 16, 24, 32))
    depth = _channels(chance, 4, 256)
    x = builder.input((1, size, size, depth))
    stride = chance.choice((1, 1, 1, 2))
    if kind == LAYER_DEPTHWISE:
        builder.output(builder.depthwise_conv_2d(x, kernel=chance.choice((3, 3, 5)), stride=stride))
        return kind
    kernel = chance.choice((1, 1, 3, 5))
    channels = _channels(chance, 4, 256)
    builder.output(builder.conv_2d(x, channels, kernel=kernel, stride=stride))
    return kind


def _channels(chance: random.Random, least: int, most: int) -> int:
    """Log-uniform; every other one a multiple of 4, for which CMSIS-NN is faster."""
    value = round(least * exp(log(most / least) * chance.random()))
    return max(4, value // 4 * 4) if chance.random() < 0.5 else value


_KWS_CHANNELS, _KWS_BLOCKS, _KWS_LEAST = 276, 9, 28
"""DS-CNN(L): five blocks of 276 channels (Zhang et al., 2017); the paper adds four."""


def _kws(builder: ModelBuilder, chance: random.Random) -> str:
    most = chance.randint(_KWS_LEAST // 4, _KWS_CHANNELS // 4)

    def width() -> int:
        return 4 * chance.randint(_KWS_LEAST // 4, most)

    x = builder.input((1, 49, 10, 1))
    x = builder.conv_2d(x, width(), kernel=(10, 4), stride=(2, 1), activation="relu")
    for block in range(_KWS_BLOCKS):
        if block > 0 and chance.random() < 0.5:
            continue  # the shortcut beside the block
        stride = 2 if block == 0 else 1
        x = builder.depthwise_conv_2d(x, kernel=3, stride=stride, activation="relu")
        x = builder.conv_2d(x, width(), activation="relu")
    x = builder.reshape(builder.average_pool_2d(x), (1, -1))
    builder.output(builder.softmax(builder.fully_connected(x, CLASSES_KWS)))
    return "kws"


_STEM_CHANNELS, _HEAD_CHANNELS = 32, 1280


def _image(builder: ModelBuilder, chance: random.Random) -> str:
    most = chance.randint(2, 10)

    def width(full: int) -> int:
        return max(4, round(full * chance.randint(1, most) / 40) * 4)

    x = builder.input((1, 32, 32, 3))
    x = builder.conv_2d(x, width(_STEM_CHANNELS), kernel=3, activation="relu6")
    source = _STEM_CHANNELS
    for stage in MOBILENET_V2_STAGES:
        channels = width(stage.channels)
        for repetition in range(stage.repetitions):
            stride = stage.stride if repetition == 0 else 1
            expanded = width(source * stage.expansion) if stage.expansion > 1 else None
            x = _bottleneck(builder, x, expanded, channels, stride, is_added=repetition > 0)
            source = stage.channels
    x = builder.conv_2d(x, width(_HEAD_CHANNELS), activation="relu6")
    x = builder.reshape(builder.average_pool_2d(x), (1, -1))
    builder.output(builder.softmax(builder.fully_connected(x, CLASSES_IMAGE)))
    return "image"


def _bottleneck(
    builder: ModelBuilder,
    x: TensorRef,
    expanded: int | None,
    channels: int,
    stride: int,
    is_added: bool,
) -> TensorRef:
    inner = x if expanded is None else builder.conv_2d(x, expanded, activation="relu6")
    inner = builder.depthwise_conv_2d(inner, kernel=3, stride=stride, activation="relu6")
    inner = builder.conv_2d(inner, channels)
    return builder.add(x, inner) if is_added else inner


SPACES: Mapping[str, Callable[[ModelBuilder, random.Random], str]] = MappingProxyType(
    {LAYERS: _layer, "kws": _kws, "image": _image}
)
BACKBONES = ("kws", "image")
