"""int8 results equal those of TFLM's reference kernels to the bit, int4 weights included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kernels.binding import Library
from kernels.calls import run
from predictor.emulation.host_runtime import HostRuntime
from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.tflite_reader import read_graph
from tests.kernels import prepared_layers

LayerOf = Callable[[ModelBuilder, TensorRef], TensorRef]

WEIGHTED: dict[str, tuple[tuple[int, ...], LayerOf]] = {
    "conv_1x1": ((2, 5, 7, 13), lambda b, x: b.conv_2d(x, 9)),
    "conv_3x3": ((1, 9, 8, 6), lambda b, x: b.conv_2d(x, 11, kernel=3, activation="relu")),
    "conv_strided": ((1, 11, 10, 3), lambda b, x: b.conv_2d(x, 5, kernel=(3, 2), stride=2)),
    "conv_dilated": (
        (1, 9, 9, 4),
        lambda b, x: b.conv_2d(x, 6, kernel=3, dilation=2, padding="valid", activation="relu6"),
    ),
    "conv_10x4": ((1, 49, 10, 1), lambda b, x: b.conv_2d(x, 8, kernel=(10, 4), stride=2)),
    "conv_unbiased": ((1, 6, 6, 5), lambda b, x: b.conv_2d(x, 7, kernel=3, bias=False)),
    "conv_int4": ((1, 9, 8, 6), lambda b, x: b.conv_2d(x, 11, kernel=3, weights="int4")),
    "conv_int4_odd": ((1, 9, 8, 7), lambda b, x: b.conv_2d(x, 5, kernel=3, weights="int4")),
    "conv_1x1_int4": ((1, 5, 5, 17), lambda b, x: b.conv_2d(x, 9, weights="int4")),
    "depthwise": ((1, 9, 8, 10), lambda b, x: b.depthwise_conv_2d(x, kernel=3)),
    "depthwise_strided": (
        (1, 25, 5, 7),
        lambda b, x: b.depthwise_conv_2d(x, kernel=3, stride=2, activation="relu"),
    ),
    "depthwise_multiplied": (
        (1, 9, 8, 3),
        lambda b, x: b.depthwise_conv_2d(x, kernel=(3, 1), multiplier=4),
    ),
    "depthwise_int4": (
        (1, 9, 8, 6),
        lambda b, x: b.depthwise_conv_2d(x, kernel=3, weights="int4"),
    ),
    "fully_connected": ((3, 41), lambda b, x: b.fully_connected(x, 30)),
    "fully_connected_per_channel": (
        (3, 40),
        lambda b, x: b.fully_connected(x, 31, per_channel=True),
    ),
    "fully_connected_int4": ((3, 40), lambda b, x: b.fully_connected(x, 31, weights="int4")),
}

OPERATORS = {
    "CONV_2D": "convolve",
    "DEPTHWISE_CONV_2D": "depthwise",
    "FULLY_CONNECTED": "fully_connected",
}


def _model(shape: tuple[int, ...], layer: LayerOf, seed: int) -> bytes:
    builder = ModelBuilder(seed=seed)
    builder.output(layer(builder, builder.input(shape)))
    return builder.build()


def _inputs(rng: np.random.Generator, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    return [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes]


@pytest.mark.parametrize("name", WEIGHTED)
def test_weighted_layers(
    name: str, tflite_micro: HostRuntime, libraries: dict[str, Library]
) -> None:
    """Convolution, depthwise convolution and fully connected."""
    shape, layer_of = WEIGHTED[name]
    for seed in range(3):
        model = _model(shape, layer_of, seed)
        inputs = _inputs(np.random.default_rng(seed), shape)
        expected = tflite_micro.run(model, inputs)
        assert not expected.error, expected.error
        graph = read_graph(model)
        operator = graph.subgraphs[0].operators[0]
        layer = prepared_layers.weighted_layer(graph, operator)
        for library_name, library in libraries.items():
            output = run(library, OPERATORS[operator.name], layer, inputs[0].reshape(-1))
            np.testing.assert_array_equal(
                output, expected.outputs[0].reshape(-1), err_msg=f"{library_name} {layer}"
            )


@pytest.mark.parametrize("symbol", ["mn_avgpool_s8", "mn_max_pool_s8"])
def test_pooling(symbol: str, tflite_micro: HostRuntime, libraries: dict[str, Library]) -> None:
    """Windows with and without padding."""
    for padding in ("same", "valid"):
        shape = (1, 11, 9, 6)

        def layer_of(b: ModelBuilder, x: TensorRef, padding: str = padding) -> TensorRef:
            pool = b.average_pool_2d if symbol == "mn_avgpool_s8" else b.max_pool_2d
            return pool(x, kernel=(4, 3), stride=2, padding=padding)

        model = _model(shape, layer_of, 0)
        inputs = _inputs(np.random.default_rng(1), shape)
        expected = tflite_micro.run(model, inputs).outputs[0].reshape(-1)
        graph = read_graph(model)
        params, input_dims, filter_dims, output_dims = prepared_layers.pooling_arguments(
            graph, graph.subgraphs[0].operators[0]
        )
        for library in libraries.values():
            output = np.zeros(expected.size, np.int8)
            data = inputs[0].reshape(-1)
            assert library.call(
                symbol, params, input_dims, data, filter_dims, output_dims, output
            ) == 0  # fmt: skip
            np.testing.assert_array_equal(output, expected)


def test_addition(tflite_micro: HostRuntime, libraries: dict[str, Library]) -> None:
    """Two inputs with their own scales."""
    shape = (1, 4, 5, 7)
    builder = ModelBuilder(seed=2)
    first, second = builder.input(shape), builder.input(shape)
    builder.output(builder.add(builder.relu6(first), second, activation="relu"))
    model = builder.build()
    inputs = _inputs(np.random.default_rng(2), shape, shape)
    graph = read_graph(model)
    operators = graph.subgraphs[0].operators
    expected = tflite_micro.run(model, inputs).outputs[0].reshape(-1)
    relu = ModelBuilder(seed=2)
    relu.output(relu.relu6(relu.input(shape)))
    limited = tflite_micro.run(relu.build(), inputs[:1]).outputs[0].reshape(-1)
    for library in libraries.values():
        output = np.zeros(expected.size, np.int8)
        params = prepared_layers.add_params(graph, operators[1])
        arguments = (params, limited.copy(), inputs[1].reshape(-1), output, output.size)
        assert library.call("mn_elementwise_add_s8", *arguments) == 0
        np.testing.assert_array_equal(output, expected)


@pytest.mark.parametrize("row_size", [1, 2, 12, 35, 300])
def test_softmax(row_size: int, tflite_micro: HostRuntime, libraries: dict[str, Library]) -> None:
    """Rows of random logits."""
    shape = (4, row_size)
    model = _model(shape, lambda b, x: b.softmax(x), 0)
    inputs = _inputs(np.random.default_rng(3), shape)
    expected = tflite_micro.run(model, inputs).outputs[0].reshape(-1)
    graph = read_graph(model)
    quantization = (
        graph.subgraphs[0].tensors[graph.subgraphs[0].operators[0].inputs[0]].quantization
    )
    assert quantization is not None
    params = prepared_layers.softmax_params(float(np.float32(quantization.scale)))
    for library in libraries.values():
        output = np.zeros(expected.size, np.int8)
        assert library.call(
            "mn_softmax_s8", inputs[0].reshape(-1), 4, row_size, *params, output
        ) == 0  # fmt: skip
        np.testing.assert_array_equal(output, expected)
