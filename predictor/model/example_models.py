"""The project's own example models: the usual small networks, with random weights.

Memory and time depend on shapes and types alone, so these stand in for trained models in
examples, tests and benchmarks. Layer tables follow the MLPerf Tiny benchmark (Banbury et al.,
2021) and MobileNetV2 (Sandler et al., 2018, table 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.builder.tensors import Type, tensor_type
from predictor.model.graph import TensorType


def ds_cnn(
    *,
    channels: int = 64,
    blocks: int = 4,
    classes: int = 12,
    type: Type = "int8",
    weights: Type | None = None,
    seed: int = 0,
) -> ModelBuilder:
    """Keyword spotting: depthwise separable convolutions on 49 frames of 10 MFCCs."""
    builder = ModelBuilder("ds_cnn", seed=seed)
    x = _input(builder, (1, 49, 10, 1), type)
    x = builder.conv_2d(x, channels, kernel=(10, 4), stride=2, activation="relu", weights=weights)
    for _ in range(blocks):
        x = builder.depthwise_conv_2d(x, kernel=3, activation="relu", weights=weights)
        x = builder.conv_2d(x, channels, activation="relu", weights=weights)
    x = builder.average_pool_2d(x)
    x = builder.reshape(x, (1, -1))
    builder.output(builder.softmax(builder.fully_connected(x, classes, weights=weights)))
    return builder


def _input(builder: ModelBuilder, shape: tuple[int, ...], type: Type) -> TensorRef:
    """The input; networks with int4 activations take int8 ones and requantise them."""
    if tensor_type(type) != TensorType.INT4:
        return builder.input(shape, type)
    return builder.quantize(builder.input(shape, "int8"), type)


class Stage(NamedTuple):
    """A row of MobileNetV2's table: expansion, channels at width 1, repetitions, first stride."""

    expansion: int
    channels: int
    repetitions: int
    stride: int


MOBILENET_V2_STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)


def mobilenet_v2(
    *,
    size: int = 96,
    width: float = 0.35,
    depth: int = 3,
    head_channels: int = 1280,
    classes: int = 2,
    type: Type = "int8",
    weights: Type | None = None,
    seed: int = 0,
) -> ModelBuilder:
    """Visual wake words: MobileNetV2 with inverted residuals on ``size`` x ``size`` pixels."""
    builder = ModelBuilder("mobilenet_v2", seed=seed)
    x = _input(builder, (1, size, size, depth), type)
    stem = _multiple_of_8(32 * width)
    x = builder.conv_2d(x, stem, kernel=3, stride=2, activation="relu6", weights=weights)
    for stage in MOBILENET_V2_STAGES:
        for repetition in range(stage.repetitions):
            stride = stage.stride if repetition == 0 else 1
            channels = _multiple_of_8(stage.channels * width)
            x = _inverted_residual(builder, x, stage.expansion, channels, stride, weights)
    x = builder.conv_2d(x, head_channels, activation="relu6", weights=weights)
    x = builder.mean(x, (1, 2))
    builder.output(builder.softmax(builder.fully_connected(x, classes, weights=weights)))
    return builder


def _multiple_of_8(channels: float) -> int:
    """The nearest multiple of 8 that takes away no more than a tenth of the channels."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _inverted_residual(
    builder: ModelBuilder,
    x: TensorRef,
    expansion: int,
    channels: int,
    stride: int,
    weights: Type | None,
) -> TensorRef:
    inner = x
    if expansion > 1:
        inner = builder.conv_2d(x, x.shape[3] * expansion, activation="relu6", weights=weights)
    inner = builder.depthwise_conv_2d(
        inner, kernel=3, stride=stride, activation="relu6", weights=weights
    )
    inner = builder.conv_2d(inner, channels, weights=weights)
    return builder.add(x, inner) if stride == 1 and x.shape[3] == channels else inner


def autoencoder(
    *,
    features: int = 640,
    units: int = 128,
    bottleneck: int = 8,
    layers: int = 4,
    type: Type = "int8",
    weights: Type | None = None,
    seed: int = 0,
) -> ModelBuilder:
    """Anomaly detection: fully connected layers to a narrow bottleneck and back."""
    builder = ModelBuilder("autoencoder", seed=seed)
    x = _input(builder, (1, features), type)
    for width in (*[units] * layers, bottleneck, *[units] * layers):
        x = builder.fully_connected(x, width, activation="relu", weights=weights)
    builder.output(builder.fully_connected(x, features, weights=weights))
    return builder


MOBILENET_V1_BLOCKS = (
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), *[(1, 512)] * 5, (2, 1024), (1, 1024)
)  # fmt: skip
"""Stride and channels at width 1 of each separable convolution (Howard et al., 2017, table 1)."""


def person_detection(
    *,
    size: int = 96,
    width: float = 0.25,
    classes: int = 2,
    type: Type = "int8",
    weights: Type | None = None,
    seed: int = 0,
) -> ModelBuilder:
    """MobileNetV1 on grey images, the network of TFLM's person detection."""
    builder = ModelBuilder("person_detection", seed=seed)
    x = _input(builder, (1, size, size, 1), type)
    x = builder.conv_2d(
        x, _multiple_of_8(32 * width), kernel=3, stride=2, activation="relu6", weights=weights
    )
    for stride, channels in MOBILENET_V1_BLOCKS:
        x = builder.depthwise_conv_2d(
            x, kernel=3, stride=stride, activation="relu6", weights=weights
        )
        channels = _multiple_of_8(channels * width)
        x = builder.conv_2d(x, channels, activation="relu6", weights=weights)
    x = builder.conv_2d(builder.average_pool_2d(x), classes, weights=weights)
    builder.output(builder.softmax(builder.reshape(x, (1, classes))))
    return builder


EXAMPLE_MODELS: Mapping[str, Callable[..., ModelBuilder]] = MappingProxyType(
    {
        "ds_cnn": ds_cnn,
        "person_detection": person_detection,
        "mobilenet_v2": mobilenet_v2,
        "autoencoder": autoencoder,
    }
)
