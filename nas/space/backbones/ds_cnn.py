"""Depthwise separable CNN (Zhang et al., 2017) with searched widths, depth and kernels.

The paper (section 5.2) enlarges DS-CNN(L) by four blocks of 276 channels and puts a shortcut
beside each block, with average pooling where the block has a stride.
"""

from __future__ import annotations

from typing import Any

from nas.space.backbones.activations import ActivationBits
from nas.space.backbones.reading import fractions, pair, wholes
from nas.space.decision_nodes import (
    BitwidthChoice,
    OpChoice,
    SkipChoice,
    WidthChoice,
    width_options,
)
from nas.space.supernet import (
    CONV,
    DENSE,
    DEPTHWISE,
    INPUT,
    POOL,
    SOFTMAX,
    Supernet,
    SupernetBuilder,
)
from predictor.toml import Table

_MOST_CHANNELS, _MOST_BLOCKS, _MOST_KERNEL = 4096, 64, 64


def build(table: Table, input_shape: tuple[int, int, int], classes: int) -> Supernet:
    """The supernet of a recipe's ``backbone`` table.

    ``width_step`` offers all multiples up to ``channels``, ``width_fractions`` shares of it.

    Raises:
        UsageError: a malformed table.
    """
    return _DsCnn(table, input_shape).build(classes)


class _DsCnn:
    def __init__(self, table: Table, input_shape: tuple[int, int, int]) -> None:
        channels = table.whole("channels", 4, _MOST_CHANNELS, 64)
        self._blocks = table.whole("blocks", 1, _MOST_BLOCKS, 4)
        self._stem_kernel = pair(table, "stem_kernel", _MOST_KERNEL, (3, 3))
        self._stem_stride = pair(table, "stem_stride", _MOST_KERNEL, (2, 2))
        self._strided = table.wholes("strided_blocks", 1, self._blocks, ())
        self._kernels = wholes(table, "kernels", _MOST_KERNEL, (3,))
        self._skip = table.flag("skip", True)
        self._bits = wholes(table, "weight_bits", 8, (8,))
        if "width_step" in table and "width_fractions" in table:
            table.fail("it has both width_step and width_fractions; keep one")
        if "width_fractions" in table:
            self._widths = width_options(channels, fractions(table, "width_fractions", (1.0,)))
        else:
            step = table.whole("width_step", 1, channels, 4)
            self._widths = tuple(range(step, channels + 1, step))
        self._builder = SupernetBuilder("ds_cnn", input_shape)
        options = wholes(table, "activation_bits", 8, (8,))
        self._activations = ActivationBits(self._builder, options)

    def build(self, classes: int) -> Supernet:
        builder = self._builder
        x = builder.layer(
            "stem",
            CONV,
            self._activations.enter(INPUT),
            channels=self._width("stem"),
            kernel=self._stem_kernel,
            stride=self._stem_stride,
            activation="relu",
            bits=self._bit_choice("stem"),
            output_bits=self._activations.bits,
        )
        for number in range(1, self._blocks + 1):
            x = self._block(number, x)
        x = builder.average("mean", self._activations.leave(x))
        x = builder.layer("dense", DENSE, x, channels=classes, bits=self._bit_choice("dense"))
        builder.layer("softmax", SOFTMAX, x)
        return builder.supernet()

    def _block(self, number: int, x: str) -> str:
        """Depthwise and pointwise convolution, or what goes around them."""
        builder, name = self._builder, f"block{number}"
        stride = (2, 2) if number in self._strided else (1, 1)
        if not self._skip:
            return self._convolutions(name, x, stride)
        skip, around = builder.node(SkipChoice(f"{name}_skip")), x
        if stride != (1, 1):
            builder.enter(skip, 1)
            around = builder.layer(
                f"{name}_pool",
                POOL,
                x,
                kernel=stride,
                stride=stride,
                output_bits=self._activations.bits,
            )
            builder.leave()
        builder.enter(skip, 0)
        y = self._convolutions(name, x, stride)
        builder.leave()
        return builder.select(name, skip, y, around)

    def _convolutions(self, name: str, x: str, stride: tuple[int, int]) -> str:
        builder, bits = self._builder, self._bit_choice(name)
        common: dict[str, Any] = {
            "activation": "relu",
            "bits": bits,
            "output_bits": self._activations.bits,
        }
        kernels: list[dict[str, Any]] = [
            {"kernel": (k, k), "stride": stride, **common} for k in self._kernels
        ]
        if len(kernels) == 1:
            y = builder.layer(f"{name}_dw", DEPTHWISE, x, **kernels[0])
        else:
            labels = tuple(f"{k}x{k}" for k in self._kernels)
            node = builder.node(OpChoice(f"{name}_kernel", labels))
            branches = []
            for option, arguments in enumerate(kernels):
                builder.enter(node, option)
                label = f"{name}_dw{self._kernels[option]}"
                branches.append(builder.layer(label, DEPTHWISE, x, **arguments))
                builder.leave()
            y = builder.select(f"{name}_dw", node, *branches)
        return builder.layer(f"{name}_pw", CONV, y, channels=self._width(name), **common)

    def _width(self, name: str) -> str:
        return self._builder.node(WidthChoice(f"{name}_width", self._widths))

    def _bit_choice(self, name: str) -> int | str:
        if len(self._bits) == 1:
            (bits,) = self._bits
            BitwidthChoice(f"{name}_bits", self._bits)
            return bits
        return self._builder.node(BitwidthChoice(f"{name}_bits", self._bits))
