"""What single layers take, asked from the predictor.

Work, scratch, persistent arena and flatbuffer bytes of a layer are affine in each of its widths
(multiples of 4 leave no rounding but that of whole buffers), so the predictor's answers for the
smallest and largest widths give the coefficients for all between. Latency is so within one
percent; layers of 8 bits in networks with 4-bit activations, which run as device models, take less
of the arena than alone, until the network is anchored.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nas.space.network import network_graph
from nas.space.supernet import (
    ADD,
    DENSE,
    DEPTHWISE,
    INPUT,
    QUANTIZE,
    SOFTMAX,
    WEIGHTED,
    Layer,
    Pair,
    Supernet,
)
from predictor import Board, Options, predict_graph
from predictor.cost.latency import latency
from predictor.model.tflite_writer import file_bytes

FEATURES = 4
"""1, input channels, output channels, their product."""


class LayerCost(NamedTuple):
    """Work and time of one inference, and bytes that a layer adds to a network."""

    macs: float
    latency_s: float
    scratch_bytes: float
    persistent_bytes: float
    model_bytes: float


class LayerCosts:
    """Costs of single layers on a board, with the kernels and the TFLM of the options."""

    def __init__(self, board: Board, options: Options | None = None) -> None:
        self._board, self._options = board, options
        self._cost = cache(self._uncached_cost)
        self._base = cache(self._uncached_base)

    def coefficients(
        self, layer: Layer, size: Pair, input_widths: Pair, output_widths: Pair, bits: Pair
    ) -> npt.NDArray[np.float64]:
        """Coefficients of each :class:`LayerCost` field over the features (fields x features).

        ``size`` is the input's height and width; widths are (smallest, largest); ``bits`` those of
        weights and output.
        """
        inputs = sorted(set(input_widths))
        outputs = [0] if layer.channels is None else sorted(set(output_widths))
        points = [(cin, cout) for cin in inputs for cout in outputs]
        answers = np.array([self.cost(layer, size, cin, cout, bits) for cin, cout in points])
        features = np.array([[1.0, cin, cout, cin * cout] for cin, cout in points])
        # What a width does that does not vary is part of the constant.
        varying = [0] + [1] * (len(inputs) > 1) + [2] * (len(outputs) > 1)
        if len(points) == FEATURES:
            varying.append(3)
        found = np.zeros((len(LayerCost._fields), FEATURES))
        found[:, varying] = np.linalg.solve(features[:, varying], answers).T
        return found

    def cost(self, layer: Layer, size: Pair, cin: int, cout: int, bits: Pair) -> LayerCost:
        """What a layer adds with ``cin`` and ``cout`` channels (0: as many as its input)."""
        return self._cost(_plain(layer, cout, bits), size, cin)

    def _uncached_cost(self, layer: Layer, size: Pair, cin: int) -> LayerCost:
        alone = self._answers((layer,), size, cin)
        base_persistent, base_model = self._base(layer.kind, len(layer.name))
        return alone._replace(
            persistent_bytes=alone.persistent_bytes - base_persistent,
            model_bytes=alone.model_bytes - base_model,
        )

    def _uncached_base(self, kind: str, name_length: int) -> tuple[float, float]:
        """Persistent and flatbuffer bytes of a network beside its layers.

        That is what a network of one layer takes beyond the growth that a second equal one causes.
        """
        kernel = (3, 3) if kind == DEPTHWISE else (1, 1)
        channels = None if kind not in WEIGHTED or kind == DEPTHWISE else 4
        names = ("a" * name_length, "b" * name_length)
        size = (1, 1) if kind in (DENSE, SOFTMAX) else (2, 2)
        inputs = 2 if kind == ADD else 1
        output_bits = 4 if kind == QUANTIZE else 8
        first = Layer(names[0], kind, (INPUT,) * inputs, channels, kernel, output_bits=output_bits)
        source = INPUT if kind == QUANTIZE else names[0]
        second = replace(first, name=names[1], inputs=(source,) * inputs)
        one, two = (self._answers(layers, size, 4) for layers in ((first,), (first, second)))
        return (
            2 * one.persistent_bytes - two.persistent_bytes,
            2 * one.model_bytes - two.model_bytes,
        )

    def _answers(self, layers: tuple[Layer, ...], size: Pair, cin: int) -> LayerCost:
        """Work, time and scratch of the first layer, bytes of all."""
        bits = int(layers[0].output_bits)
        if layers[0].kind == QUANTIZE:
            bits = 12 - bits  # it reads 8 and writes 4, or the reverse
        graph = network_graph(Supernet("layer", (*size, cin), layers, input_bits=bits))
        prediction = predict_graph(graph, self._board, self._options)
        scratch = sum(
            buffer.size_bytes
            for buffer in prediction.arena.buffers
            if buffer.tensor is None and buffer.operator_index == 0
        )
        return LayerCost(
            macs=prediction.layers[0].macs,
            latency_s=latency(prediction.works[:1], prediction.timing, self._board).seconds,
            scratch_bytes=scratch,
            persistent_bytes=prediction.arena.persistent_bytes,
            model_bytes=file_bytes(graph),
        )


def _plain(layer: Layer, channels: int, bits: Pair) -> Layer:
    """The layer alone; a name of equal length takes equal bytes."""
    return replace(
        layer,
        name="a" * len(layer.name),
        inputs=(INPUT,) * len(layer.inputs),
        channels=channels or None,
        bits=bits[0] if layer.kind in WEIGHTED else 8,
        output_bits=bits[1],
        when=(),
    )
