"""Networks of published shapes, with random weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from predictor.model.builder import ModelBuilder, TensorRef

MICRONET_AD_L = ((2, 248), (1, 276), (1, 276), (2, 248), (2, 248))
"""Stride and channels of each separable convolution (Banbury et al., MicroNets, 2021)."""


def micronet_ad_l() -> ModelBuilder:
    """MicroNet-AD-L: anomaly detection, too large for the smallest board of its paper."""
    builder = ModelBuilder("micronet_ad_l", seed=1)
    x = builder.conv_2d(builder.input((1, 32, 32, 1)), 276, kernel=3, activation="relu")
    for stride, channels in MICRONET_AD_L:
        x = builder.depthwise_conv_2d(x, kernel=3, stride=stride, activation="relu")
        x = builder.conv_2d(x, channels, activation="relu")
    x = builder.conv_2d(builder.average_pool_2d(x), 8)
    builder.output(builder.reshape(x, (1, 8)))
    return builder


class Block(NamedTuple):
    """An inverted bottleneck, without its residual."""

    channels: int
    expansion: int
    stride: int = 1
    kernel: int = 3


MSF_MOBILENET_V2 = (
    (16, 1, 1), (24, 6, 2), (24, 6, 1), (32, 6, 2), *[(32, 6, 1)] * 2, (64, 6, 2),
    *[(64, 6, 1)] * 3, *[(96, 6, 1)] * 3, (160, 6, 2), *[(160, 6, 1)] * 2, (320, 6, 1)
)  # fmt: skip
"""Channels at width 1, expansion and stride (TinyPART/msf-CNN; channels are rounded down)."""
MCUNET_VWW_5FPS = (
    Block(16, 6, 2), Block(16, 3), Block(16, 3), Block(24, 3, 2, 7), Block(24, 6),
    Block(24, 5, 1, 5), Block(40, 6, 2, 7), Block(40, 6, 1, 7), Block(48, 6),
    Block(48, 4), Block(96, 5, 2, 5), Block(96, 5), Block(96, 4), Block(160, 3, 1, 7)
)  # fmt: skip
"""MCUNetV2-VWW-5fps, as TinyPART/msf-CNN has it."""


def msf_mobilenet_v2(width: float = 0.35, size: int = 144) -> ModelBuilder:
    """MobileNetV2 as msf-CNN measures it: without residuals and without what follows the last
    convolution."""
    builder = ModelBuilder("msf_mobilenet_v2", seed=1)
    x = builder.input((1, size, size, 3))
    x = builder.conv_2d(x, int(32 * width), kernel=3, stride=2)
    x = _blocks(builder, x, (Block(int(c * width), *rest) for c, *rest in MSF_MOBILENET_V2))
    builder.output(builder.conv_2d(x, int(1280 * width)))
    return builder


def msf_mcunet_vww() -> ModelBuilder:
    """MCUNetV2-VWW-5fps as msf-CNN measures it."""
    builder = ModelBuilder("msf_mcunet_vww", seed=1)
    x = builder.conv_2d(builder.input((1, 80, 80, 3)), 16, kernel=3, stride=2)
    x = builder.conv_2d(builder.depthwise_conv_2d(x, kernel=3), 8)
    builder.output(_blocks(builder, x, MCUNET_VWW_5FPS))
    return builder


def _blocks(builder: ModelBuilder, x: TensorRef, blocks: Iterable[Block]) -> TensorRef:
    for block in blocks:
        x = builder.conv_2d(x, x.shape[3] * block.expansion)
        x = builder.depthwise_conv_2d(x, kernel=block.kernel, stride=block.stride)
        x = builder.conv_2d(x, block.channels)
    return x
