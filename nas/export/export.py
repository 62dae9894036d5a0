"""From a trained network to a ``.tflite`` file with integer weights and activations.

The TensorFlow converter quantises; all grids are given to it as fake quantisation, so that the
file computes what training computed. Its graph is then brought into the order and names of
:mod:`nas.space.network`, of which the predictor's figures during the search are. It knows no
activations of 4 bits: networks with them are written directly.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from nas.export.trained_parameters import TrainedParameters, folded
from nas.space.network import network_graph, with_names
from nas.space.supernet import (
    ADD,
    DENSE,
    DEPTHWISE,
    INPUT,
    POOL,
    SOFTMAX,
    Layer,
    has_four_bit_activations,
)
from nas.training.model import SupernetModel
from nas.training.quantizers import activation_limits, learnt_range, weight_limit
from predictor import read_graph
from predictor.model.graph import Graph
from predictor.model.tflite_writer import write_model

PROBABILITY_TOP = 255 / 256


def inference_function(model: SupernetModel) -> Any:
    """The network with folded weights and explicit fake quantisation, for one image."""
    network = model.supernet
    weights = {name: folded(layer) for name, layer in model.weighted.items()}
    tops = {name: float(learnt_range(top)) for (name, _), top in model.tops.items()}

    def infer(x: Any) -> Any:
        tensors = {INPUT: _on_grid(tops, INPUT, x, "none")}
        for layer in network.layers:
            inputs = [tensors[name] for name in layer.inputs]
            y = _activated(layer, _computed(layer, inputs, weights.get(layer.name)))
            tensors[layer.name] = _on_grid(tops, layer.name, y, layer.activation)
        return tensors[network.output]

    shape = (1, *network.input_shape)
    return tf.function(infer, autograph=False, input_signature=[tf.TensorSpec(shape, tf.float32)])


def _computed(layer: Layer, inputs: list[Any], weights: Any) -> Any:
    if layer.kind == ADD:
        return inputs[0] + inputs[1]
    if layer.kind == POOL:
        return tf.nn.avg_pool2d(inputs[0], list(layer.kernel), list(layer.stride), "SAME")
    if layer.kind == SOFTMAX:
        return tf.quantization.fake_quant_with_min_max_args(
            tf.nn.softmax(inputs[0]), 0.0, PROBABILITY_TOP
        )
    kernel, bias, step = weights
    bits = int(layer.bits)
    top = np.asarray(step * weight_limit(bits), np.float32)
    if layer.kind == DENSE:
        kernel = tf.quantization.fake_quant_with_min_max_vars(
            kernel, -top, top, num_bits=bits, narrow_range=True
        )
        return tf.matmul(tf.reshape(inputs[0], (1, -1)), kernel) + bias
    kernel = tf.quantization.fake_quant_with_min_max_vars_per_channel(
        kernel.astype(np.float32), -top, top, num_bits=bits, narrow_range=True
    )
    if layer.kind == DEPTHWISE:
        strides = [1, *layer.stride, 1]
        # A reshape keeps the channels' axis of quantisation, an indexing does not.
        kernel = tf.reshape(kernel, (*kernel.shape, 1))
        return tf.nn.depthwise_conv2d(inputs[0], kernel, strides, "SAME") + bias
    return tf.nn.conv2d(inputs[0], kernel, list(layer.stride), "SAME") + bias


def _activated(layer: Layer, y: Any) -> Any:
    activations = {"relu": tf.nn.relu, "relu6": tf.nn.relu6}
    return activations[layer.activation](y) if layer.activation in activations else y


def _on_grid(tops: dict[str, float], name: str, x: Any, activation: str) -> Any:
    if name not in tops:
        return x
    low, high = activation_limits(activation)
    step = tops[name] / high
    return tf.quantization.fake_quant_with_min_max_args(x, low * step, high * step)


def export(model: SupernetModel, write: Callable[[Graph], bytes] = write_model) -> bytes:
    """The bytes of the ``.tflite`` file of a network without open decisions.

    ``write``: makes a file of the graph, such as one with a memory plan of its own
    (:func:`nas.cost.optimized.planned_file`).

    Raises:
        UsageError: the converter made other operators than the network has.
    """
    if has_four_bit_activations(model.supernet):
        graph = network_graph(model.supernet, TrainedParameters(model))
    else:
        graph = with_names(read_graph(_converted(model)), model.supernet)
    return write(graph)


def _converted(model: SupernetModel) -> bytes:
    """What TensorFlow's converter makes of the network."""
    function = inference_function(model).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    converter._experimental_low_bit_qat = True  # 4-bit weights stay 4-bit
    with warnings.catch_warnings(), _quiet():
        # It expects statistics of a representative data set, which fake quantisation replaces.
        warnings.simplefilter("ignore")
        return bytes(converter.convert())


class _quiet:  # noqa: N801 - reads as a word
    """Keeps the converter's C++ log away from the terminal."""

    def __enter__(self) -> None:
        self._saved = os.dup(2)
        with open(os.devnull, "w") as sink:
            os.dup2(sink.fileno(), 2)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._saved, 2)
        os.close(self._saved)
