"""Activations of 8 or 4 bits between a backbone's input and its head, which have 8.

Kernels write as many bits as they read, so that all layers between take one choice; ``quantize``
layers lead in and out. The average over the image is taken in 8 bits: four would leave few levels
of it.
"""

from __future__ import annotations

from nas.space.decision_nodes import BitwidthChoice
from nas.space.supernet import QUANTIZE, SupernetBuilder

_NODE = "activation_bits"


class ActivationBits:
    """The choice; ``bits`` is what layers between input and head name as their output's."""

    def __init__(self, builder: SupernetBuilder, options: tuple[int, ...]) -> None:
        self._builder, self._options = builder, options
        node = BitwidthChoice(_NODE, options)
        self.bits: int | str = builder.node(node) if len(options) > 1 else options[0]

    def enter(self, x: str) -> str:
        """From 8 bits to those of the choice."""
        return self._quantized("enter", x, 4)

    def leave(self, x: str) -> str:
        """From the bits of the choice to 8."""
        return self._quantized("leave", x, 8)

    def _quantized(self, name: str, x: str, bits: int) -> str:
        if 4 not in self._options:
            return x
        if isinstance(self.bits, int):
            return self._builder.layer(name, QUANTIZE, x, output_bits=bits)
        option = self._options.index(4)
        self._builder.enter(self.bits, option)
        changed = self._builder.layer(f"{name}{bits}", QUANTIZE, x, output_bits=bits)
        self._builder.leave()
        branches = [changed if k == option else x for k in range(len(self._options))]
        return self._builder.select(name, self.bits, *branches)
