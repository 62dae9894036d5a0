"""MobileNetV2 (Sandler et al., 2018, table 2) with searched widths.

As in the paper (section 5.2) the first and last convolution of each inverted bottleneck and the
convolutions before and after them choose between 10 % and 100 % of MobileNetV2's width. Blocks
that are added to their input share the width of their stage.
"""

from __future__ import annotations

from typing import NamedTuple

from nas.space.backbones.activations import ActivationBits
from nas.space.backbones.reading import fractions, wholes
from nas.space.decision_nodes import BitwidthChoice, WidthChoice, width_options
from nas.space.supernet import (
    ADD,
    CONV,
    DENSE,
    DEPTHWISE,
    INPUT,
    SOFTMAX,
    Supernet,
    SupernetBuilder,
)
from predictor.toml import Table

_MOST_WIDTH, _MOST_HEAD, _MOST_STRIDE = 4.0, 8192, 64
_TENTHS = tuple(tenth / 10 for tenth in range(1, 11))


class _Stage(NamedTuple):
    """Expansion, channels at width 1, repetitions, stride of the first repetition."""

    expansion: int
    channels: int
    repetitions: int
    stride: int


_STAGES = (
    _Stage(1, 16, 1, 1),
    _Stage(6, 24, 2, 2),
    _Stage(6, 32, 3, 2),
    _Stage(6, 64, 4, 2),
    _Stage(6, 96, 3, 1),
    _Stage(6, 160, 3, 2),
    _Stage(6, 320, 1, 1),
)
_STEM_CHANNELS = 32


def build(table: Table, input_shape: tuple[int, int, int], classes: int) -> Supernet:
    """The supernet of a recipe's ``backbone`` table; ``stages`` keeps the first so many.

    Raises:
        UsageError: a malformed table.
    """
    return _MobileNetV2(table, input_shape).build(classes)


class _MobileNetV2:
    def __init__(self, table: Table, input_shape: tuple[int, int, int]) -> None:
        self._width_factor = table.number("width", 0.05, _MOST_WIDTH, 1.0)
        self._stages = table.whole("stages", 1, len(_STAGES), len(_STAGES))
        self._head = table.whole("head_channels", 4, _MOST_HEAD, 1280)
        self._fractions = fractions(table, "width_fractions", _TENTHS)
        self._stem_stride = table.whole("stem_stride", 1, _MOST_STRIDE, 2)
        self._bits = wholes(table, "weight_bits", 8, (8,))
        self._builder = SupernetBuilder("mobilenet_v2", input_shape)
        options = wholes(table, "activation_bits", 8, (8,))
        self._activations = ActivationBits(self._builder, options)

    def build(self, classes: int) -> Supernet:
        stride = (self._stem_stride, self._stem_stride)
        x = self._activations.enter(INPUT)
        x = self._conv("stem", x, _STEM_CHANNELS, kernel=(3, 3), stride=stride)
        source_channels = _STEM_CHANNELS
        for index, stage in enumerate(_STAGES[: self._stages], 1):
            for repetition in range(1, stage.repetitions + 1):
                name = f"ibn{index}_{repetition}"
                x = self._bottleneck(name, f"stage{index}", x, stage, repetition, source_channels)
                source_channels = stage.channels
        x = self._conv("head", x, self._head / self._width_factor)
        x = self._builder.average("mean", self._activations.leave(x))
        x = self._builder.layer("dense", DENSE, x, channels=classes, bits=self._bit_choice("dense"))
        self._builder.layer("softmax", SOFTMAX, x)
        return self._builder.supernet()

    def _bottleneck(
        self, name: str, stage_name: str, x: str, stage: _Stage, repetition: int, channels: int
    ) -> str:
        builder = self._builder
        y = x
        if stage.expansion > 1:
            y = self._conv(f"{name}_expand", x, channels * stage.expansion)
        stride = stage.stride if repetition == 1 else 1
        y = builder.layer(
            f"{name}_dw",
            DEPTHWISE,
            y,
            kernel=(3, 3),
            stride=(stride, stride),
            activation="relu6",
            bits=self._bit_choice(name),
            output_bits=self._activations.bits,
        )
        width = self._width(stage_name, stage.channels)
        output_bits = self._activations.bits
        y = builder.layer(
            f"{name}_project",
            CONV,
            y,
            channels=width,
            bits=self._bit_choice(name),
            output_bits=output_bits,
        )
        if repetition == 1:
            return y
        return builder.layer(f"{name}_add", ADD, x, y, output_bits=output_bits)

    def _conv(
        self,
        name: str,
        x: str,
        channels: float,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
    ) -> str:
        return self._builder.layer(
            name,
            CONV,
            x,
            channels=self._width(name, channels),
            kernel=kernel,
            stride=stride,
            activation="relu6",
            bits=self._bit_choice(name),
            output_bits=self._activations.bits,
        )

    def _width(self, name: str, channels: float) -> str:
        full = max(4, round(channels * self._width_factor / 4) * 4)
        return self._builder.node(
            WidthChoice(f"{name}_width", width_options(full, self._fractions))
        )

    def _bit_choice(self, name: str) -> int | str:
        if len(self._bits) == 1:
            return BitwidthChoice(name, self._bits).options[0]
        return self._builder.node(BitwidthChoice(f"{name}_bits", self._bits))
