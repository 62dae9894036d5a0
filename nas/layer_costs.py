"""What single layers take, asked from the predictor.

Work, scratch, persistent arena and flatbuffer bytes of a layer are affine in each of its widths
(multiples of 4 leave no rounding but that of whole buffers), so the predictor's answers for the
smallest and largest widths give the coefficients for all between.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nas.network import network_graph
from nas.supernet import DENSE, DEPTHWISE, INPUT, MEAN, SOFTMAX, WEIGHTED, Layer, Pair, Supernet
from predictor import predict_graph
from predictor.model.tflite_writer import write_model

FEATURES = 4
"""1, input channels, output channels, their product."""


class LayerCost(NamedTuple):
    """Work of one inference, and bytes that a layer adds to a network."""

    macs: float
    scratch_bytes: float
    persistent_bytes: float
    model_bytes: float


def coefficients(
    layer: Layer, size: Pair, input_widths: Pair, output_widths: Pair, bits: int
) -> npt.NDArray[np.float64]:
    """Coefficients of each :class:`LayerCost` field over the features (fields x features).

    ``size`` is the input's height and width; widths are (smallest, largest).
    """
    inputs = sorted(set(input_widths))
    outputs = [0] if layer.channels is None else sorted(set(output_widths))
    points = [(cin, cout) for cin in inputs for cout in outputs]
    answers = np.array([layer_cost(layer, size, cin, cout, bits) for cin, cout in points])
    features = np.array([[1.0, cin, cout, cin * cout] for cin, cout in points])
    # What a width does that does not vary is part of the constant.
    varying = [0] + [1] * (len(inputs) > 1) + [2] * (len(outputs) > 1)
    if len(points) == FEATURES:
        varying.append(3)
    found = np.zeros((len(LayerCost._fields), FEATURES))
    found[:, varying] = np.linalg.solve(features[:, varying], answers).T
    return found


def layer_cost(layer: Layer, size: Pair, cin: int, cout: int, bits: int) -> LayerCost:
    """What a layer adds with ``cin`` and ``cout`` channels (0: as many as its input)."""
    return _layer_cost(_plain(layer, layer.name, cout, bits), size, cin)


def _plain(layer: Layer, name: str, channels: int, bits: int) -> Layer:
    return replace(
        layer,
        name=name,
        inputs=(INPUT,) * len(layer.inputs),
        channels=channels or None,
        bits=bits if layer.kind in WEIGHTED else 8,
        when=(),
    )


@lru_cache(maxsize=65536)
def _layer_cost(layer: Layer, size: Pair, cin: int) -> LayerCost:
    alone = _answers((layer,), size, cin)
    base_persistent, base_model = _base(layer.kind, len(layer.name))
    return LayerCost(
        alone.macs,
        alone.scratch_bytes,
        alone.persistent_bytes - base_persistent,
        alone.model_bytes - base_model,
    )


@lru_cache(maxsize=1024)
def _base(kind: str, name_length: int) -> tuple[float, float]:
    """Persistent and flatbuffer bytes of a network beside its layers.

    That is what a network of one layer takes beyond the growth that a second equal one causes.
    """
    kernel = (3, 3) if kind == DEPTHWISE else (1, 1)
    channels = None if kind not in WEIGHTED or kind == DEPTHWISE else 4
    names = ("a" * name_length, "b" * name_length)
    size = (1, 1) if kind in (MEAN, DENSE, SOFTMAX) else (2, 2)
    inputs = 2 if kind == "add" else 1
    first = Layer(names[0], kind, (INPUT,) * inputs, channels, kernel)
    second = replace(first, name=names[1], inputs=((INPUT if kind == MEAN else names[0]),) * inputs)
    one, two = _answers((first,), size, 4), _answers((first, second), size, 4)
    return (
        2 * one.persistent_bytes - two.persistent_bytes,
        2 * one.model_bytes - two.model_bytes,
    )


def _answers(layers: tuple[Layer, ...], size: Pair, cin: int) -> LayerCost:
    """Work and scratch of the first layer, bytes of all."""
    graph = network_graph(Supernet("layer", (*size, cin), layers))
    prediction = predict_graph(graph)
    scratch = sum(
        buffer.size_bytes
        for buffer in prediction.arena.buffers
        if buffer.tensor is None and buffer.operator_index == 0
    )
    return LayerCost(
        prediction.layers[0].macs,
        scratch,
        prediction.arena.persistent_bytes,
        len(write_model(graph)),
    )
