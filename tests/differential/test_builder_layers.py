"""Every layer of the builder in both real runtimes: it runs, and they agree on its output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.builder.tensors import NUMPY_TYPES
from predictor.model.example_models import EXAMPLE_MODELS
from predictor.model.graph import TensorType
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_reader import read_graph
from predictor.proof.host_runtime import Arrays, HostRuntime, random_inputs

IMAGE = (1, 9, 8, 6)
INT8_INT16_FLOAT = ("int8", "int16", "float32")
INT8_FLOAT = ("int8", "float32")

Layer = Callable[[ModelBuilder, TensorRef], TensorRef | tuple[TensorRef, ...]]


class Case(NamedTuple):
    """``tolerance``: largest difference of integer outputs of the two runtimes."""

    layer: Layer
    types: tuple[str, ...] = INT8_FLOAT
    shape: tuple[int, ...] = IMAGE
    tolerance: int = 0


def _to_other(b: ModelBuilder, x: TensorRef, layer: str) -> TensorRef:
    """An elementwise layer of the input and of another tensor, of the same quantisation."""
    other = b.relu6(b.strided_slice(x, (0, 0, 0, 0), x.shape))
    method: Callable[..., TensorRef] = getattr(b, layer)
    return method(x, other)


# Tolerances: the integer kernels of both runtimes compute the same numbers, but they round some
# products in another way, which shifts by 1 about one output in a thousand of fully connected
# layers (one in twenty with int16), fewer of multiplications and int16 softmax, and, in versions
# of TFLM before 2026-10-12, of int16 subtractions.
CASES = {
    "conv_2d": Case(lambda b, x: b.conv_2d(x, 5, kernel=3), INT8_INT16_FLOAT),
    "conv_2d_valid": Case(
        lambda b, x: b.conv_2d(x, 5, kernel=(3, 2), stride=(2, 1), padding="valid"),
        INT8_INT16_FLOAT,
    ),
    "conv_2d_dilated": Case(lambda b, x: b.conv_2d(x, 5, kernel=3, dilation=2, activation="relu6")),
    "conv_2d_int4": Case(lambda b, x: b.conv_2d(x, 5, kernel=3, weights="int4"), ("int8",)),
    "depthwise_conv_2d": Case(
        lambda b, x: b.depthwise_conv_2d(x, kernel=3, activation="relu"), INT8_INT16_FLOAT
    ),
    "depthwise_conv_2d_multiplied": Case(
        lambda b, x: b.depthwise_conv_2d(x, kernel=(3, 1), multiplier=2, stride=2)
    ),
    "depthwise_conv_2d_unbiased": Case(
        lambda b, x: b.depthwise_conv_2d(x, kernel=3, bias=False), ("int8",)
    ),
    "depthwise_conv_2d_int4": Case(
        lambda b, x: b.depthwise_conv_2d(x, kernel=3, weights="int4"), ("int8",)
    ),
    "transpose_conv": Case(
        lambda b, x: b.transpose_conv(x, 4, kernel=3, stride=2), INT8_INT16_FLOAT
    ),
    "transpose_conv_valid": Case(
        lambda b, x: b.transpose_conv(x, 4, kernel=(3, 2), stride=2, padding="valid")
    ),
    "transpose_conv_unbiased": Case(
        lambda b, x: b.transpose_conv(x, 4, kernel=3, bias=False), ("int8",)
    ),
    "fully_connected": Case(lambda b, x: b.fully_connected(x, 300), INT8_INT16_FLOAT, (3, 40), 1),
    "fully_connected_per_channel": Case(
        lambda b, x: b.fully_connected(x, 300, per_channel=True), ("int8",), (3, 40), 1
    ),
    "fully_connected_unbiased": Case(
        lambda b, x: b.fully_connected(x, 300, bias=False), ("int8",), (3, 40), 1
    ),
    "fully_connected_int4": Case(
        lambda b, x: b.fully_connected(x, 300, weights="int4"), ("int8",), (3, 40), 1
    ),
    "average_pool_2d": Case(
        lambda b, x: b.average_pool_2d(x, kernel=2, padding="same"), INT8_INT16_FLOAT
    ),
    "average_pool_2d_global": Case(lambda b, x: b.average_pool_2d(x), INT8_INT16_FLOAT),
    "max_pool_2d": Case(lambda b, x: b.max_pool_2d(x, kernel=(3, 2), stride=1), INT8_INT16_FLOAT),
    "mean": Case(lambda b, x: b.mean(x, (1, -2)), INT8_INT16_FLOAT),
    "mean_keep_dims": Case(lambda b, x: b.mean(x, (1, 2), keep_dims=True)),
    "add": Case(lambda b, x: _to_other(b, x, "add"), INT8_INT16_FLOAT),
    "add_broadcast": Case(lambda b, x: b.add(x, b.mean(x, (1, 2), keep_dims=True))),
    "sub": Case(lambda b, x: _to_other(b, x, "sub")),
    "sub_int16": Case(lambda b, x: _to_other(b, x, "sub"), ("int16",), tolerance=1),
    "mul": Case(lambda b, x: _to_other(b, x, "mul"), INT8_INT16_FLOAT, tolerance=1),
    "maximum": Case(lambda b, x: _to_other(b, x, "maximum")),
    "minimum": Case(lambda b, x: _to_other(b, x, "minimum")),
    "concatenation": Case(
        lambda b, x: b.concatenation([x, b.relu6(x), x], axis=-1), INT8_INT16_FLOAT
    ),
    "pad": Case(lambda b, x: b.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0))), INT8_INT16_FLOAT),
    "reshape": Case(lambda b, x: b.reshape(x, (1, -1)), INT8_INT16_FLOAT),
    "transpose": Case(lambda b, x: b.transpose(x, (0, 2, 1, 3)), INT8_FLOAT),
    "strided_slice": Case(
        lambda b, x: b.strided_slice(x, (0, 1, 0, 0), (1, 9, 8, 4), (1, 2, 3, 1))
    ),
    "split": Case(lambda b, x: b.split(x, 3), INT8_INT16_FLOAT),
    "resize_nearest_neighbor": Case(lambda b, x: b.resize_nearest_neighbor(x, (18, 12))),
    "resize_bilinear": Case(lambda b, x: b.resize_bilinear(x, (18, 12))),
    "relu": Case(lambda b, x: b.relu(x), INT8_INT16_FLOAT),
    "relu6": Case(lambda b, x: b.relu6(x)),
    "leaky_relu": Case(lambda b, x: b.leaky_relu(x, alpha=0.2), INT8_INT16_FLOAT),
    "hard_swish": Case(lambda b, x: b.hard_swish(x)),
    "logistic": Case(lambda b, x: b.logistic(x), INT8_INT16_FLOAT),
    "tanh": Case(lambda b, x: b.tanh(x), INT8_INT16_FLOAT),
    "softmax": Case(lambda b, x: b.softmax(x), INT8_FLOAT, (4, 10)),
    "softmax_int16": Case(lambda b, x: b.softmax(x), ("int16",), (4, 10), 1),
    "quantize": Case(lambda b, x: b.quantize(x), INT8_FLOAT),
    "dequantize": Case(lambda b, x: b.dequantize(x), ("int8",)),
}


def _outputs(runtime: HostRuntime, content: bytes) -> Arrays:
    main = read_graph(content).main
    tensors = [main.tensors[index] for index in main.inputs]
    inputs = random_inputs([(tensor.shape, NUMPY_TYPES[tensor.type]) for tensor in tensors])
    result = runtime.run(content, inputs)
    assert not result.error, f"{result.error}\n{result.log[-2000:]}"
    return result.outputs


def _model(case: Case, type: str) -> bytes:
    builder = ModelBuilder("layer", seed=1)
    written = case.layer(builder, builder.input(case.shape, type))
    builder.output(*(written if isinstance(written, tuple) else (written,)))
    return builder.build()


def _layers() -> list[Any]:
    return [
        pytest.param(name, type, id=f"{name}-{type}")
        for name, case in CASES.items()
        for type in case.types
    ]


@pytest.mark.parametrize(("name", "type"), _layers())
def test_both_runtimes_agree(
    tflite_micro: HostRuntime, litert: HostRuntime, name: str, type: str
) -> None:
    case = CASES[name]
    content = _model(case, type)
    main = read_graph(content).main
    micro, lite = _outputs(tflite_micro, content), _outputs(litert, content)
    assert len(micro) == len(lite) == len(main.outputs)
    for index, left, right in zip(main.outputs, micro, lite, strict=True):
        described = main.tensors[index]
        assert left.shape == right.shape == described.shape
        assert left.dtype == right.dtype == np.dtype(NUMPY_TYPES[described.type])
        if described.type == TensorType.FLOAT32:
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)
        else:
            difference = np.abs(left.astype(int) - right.astype(int))
            assert difference.max() <= case.tolerance


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "int8" in case.types])
def test_outputs_use_the_range_of_int8(tflite_micro: HostRuntime, name: str) -> None:
    """Scales suit the values: they are spread out, and few are saturated but by a RELU."""
    for output in _outputs(tflite_micro, _model(CASES[name], "int8")):
        values = output.ravel()
        assert values.max() > values.min()
        if values.dtype == np.int8 and values.size >= 50 and "softmax" not in name:
            assert values.std() > 4
            assert np.mean(values == 127) < 0.05


def test_convolutions_without_bias_run_in_tflm(tflite_micro: HostRuntime) -> None:
    """TensorFlow Lite's own kernel insists on a bias."""
    case = Case(lambda b, x: b.conv_2d(x, 5, kernel=3, bias=False))
    (output,) = _outputs(tflite_micro, _model(case, "int8"))
    assert output.std() > 4


def test_every_layer_is_covered() -> None:
    inherited = {"constant", "input", "operator", "output", "variable"}
    own = {"build", "graph", "metadata", "offline_plan", "subgraph", "finished", "index_of"}
    layers = {
        name
        for name in dir(ModelBuilder)
        if not name.startswith("_") and callable(getattr(ModelBuilder, name))
    }
    tested = {name for name in layers for case in CASES if case.startswith(name)}
    assert layers - inherited - own - {"next_label"} == tested


@pytest.mark.parametrize("name", sorted(EXAMPLE_MODELS))
def test_example_models_run_in_both_runtimes(
    tflite_micro: HostRuntime, litert: HostRuntime, name: str
) -> None:
    content = EXAMPLE_MODELS[name]().build()
    (micro,), (lite,) = _outputs(tflite_micro, content), _outputs(litert, content)
    # Differences of 1 grow over the fully connected layers.
    assert np.abs(micro.astype(int) - lite.astype(int)).max() <= 4
    assert micro.std() > 1


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_run_in_both_runtimes(
    tflite_micro: HostRuntime, litert: HostRuntime, seed: int
) -> None:
    content = random_graph(seed).build()
    for left, right in zip(_outputs(tflite_micro, content), _outputs(litert, content), strict=True):
        # A difference of 1 in a fully connected layer or a multiplication may spread.
        assert np.mean(left == right) > 0.5
