"""Networks that several suites run with the project's own kernels."""

from __future__ import annotations

from predictor.model.builder import ModelBuilder
from predictor.model.graph import Graph
from predictor.model.tflite_reader import read_graph


def network(activations: str = "int8", weights: str = "int8", channels: int = 24) -> Graph:
    """A small DS-CNN; int4 ones get int8 inputs and give int8 probabilities."""
    builder = ModelBuilder("network", seed=1)
    x = builder.input((1, 20, 10, 1))
    if activations == "int4":
        x = builder.quantize(x, "int4")
    x = builder.conv_2d(x, channels, kernel=(4, 3), stride=2, activation="relu", weights=weights)
    for _ in range(2):
        y = builder.depthwise_conv_2d(x, kernel=3, activation="relu", weights=weights)
        y = builder.conv_2d(y, channels, activation="relu", weights=weights)
        x = builder.add(x, y)
    x = builder.max_pool_2d(x, kernel=2, stride=2)
    x = builder.average_pool_2d(x, kernel=(5, 2), stride=(5, 2), padding="valid")
    x = builder.reshape(x, (1, -1))
    x = builder.fully_connected(x, 12, weights=weights)
    builder.output(builder.softmax(x))
    return read_graph(builder.build())


def int4_layers() -> Graph:
    """What the DS-CNN lacks of layers with int4 activations, odd sizes, two inputs and outputs."""
    builder = ModelBuilder("int4_layers", seed=2)
    x = builder.quantize(builder.input((1, 7, 5, 3)), "int4")
    y = builder.quantize(builder.input((1, 7, 5, 3)), "int4", quantization=x.quantization)
    x = builder.relu6(builder.pad(x, ((0, 0), (1, 2), (0, 1), (0, 2))))
    y = builder.conv_2d(y, 5, kernel=3, dilation=2, weights="int8", activation="relu6")
    y = builder.conv_2d(y, 6, kernel=(3, 2), stride=2, padding="valid", bias=False)
    y = builder.depthwise_conv_2d(y, kernel=3, multiplier=3, activation="relu6")
    builder.output(builder.quantize(builder.max_pool_2d(x, kernel=(3, 2), stride=(1, 2)), "int8"))
    y = builder.fully_connected(y, 9, per_channel=True, activation="relu")
    builder.output(builder.softmax(y))
    return read_graph(builder.build())


def value_layers() -> Graph:
    """Activations by a table, operators of two tensors, one of them repeated, means and PAD."""
    builder = ModelBuilder("value_layers", seed=3)
    x = builder.conv_2d(builder.input((1, 6, 5, 3)), 7, kernel=3)
    gate = builder.logistic(builder.mean(x, (1, 2), keep_dims=True))
    y = builder.mul(builder.hard_swish(x), gate)
    y = builder.sub(builder.leaky_relu(y), builder.tanh(x), activation="relu")
    padded = builder.pad(y, ((0, 0), (1, 0), (0, 0), (0, 2)))
    x = builder.max_pool_2d(builder.relu(x), kernel=2, stride=1, padding="same")
    y = builder.maximum(x, builder.average_pool_2d(x))
    builder.output(builder.minimum(y, builder.relu6(y)), builder.mean(padded, (3,)))
    return read_graph(builder.build())
