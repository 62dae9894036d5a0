"""int8 results equal those of TFLM's reference kernels to the bit, int4 weights included.

Models become device models, so that what TFLM's Prepare computes is tested with the kernels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kernels.binding import Library
from kernels.device_runtime import run_device_model
from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.device.device_model import device_model
from predictor.model.tflite_reader import read_graph
from predictor.proof.host_runtime import HostRuntime

LayerOf = Callable[[ModelBuilder, TensorRef], TensorRef]

LAYERS: dict[str, tuple[tuple[int, ...], LayerOf]] = {
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
    "average_pool": ((1, 11, 9, 6), lambda b, x: b.average_pool_2d(x, kernel=(4, 3), stride=2)),
    "average_pool_valid": (
        (1, 11, 9, 7),
        lambda b, x: b.average_pool_2d(x, kernel=(4, 3), stride=2, padding="valid"),
    ),
    "max_pool": ((1, 11, 9, 6), lambda b, x: b.max_pool_2d(x, kernel=(4, 3), stride=2)),
    "max_pool_valid": (
        (2, 11, 9, 5),
        lambda b, x: b.max_pool_2d(x, kernel=(4, 3), stride=2, padding="valid"),
    ),
    "add": ((1, 4, 5, 7), lambda b, x: b.add(x, b.conv_2d(x, 7), activation="relu")),
    "add_relu6": ((3, 5), lambda b, x: b.add(b.fully_connected(x, 5), x, activation="relu6")),
    "add_channels": ((1, 4, 5, 7), lambda b, x: b.add(x, b.average_pool_2d(x))),
    "sub": ((1, 4, 5, 7), lambda b, x: b.sub(b.conv_2d(x, 7), x, activation="relu")),
    "sub_channels": ((2, 4, 5, 6), lambda b, x: b.sub(x, b.mean(x, (0, 1, 2)))),
    "mul": ((1, 4, 5, 7), lambda b, x: b.mul(x, b.conv_2d(x, 7), activation="relu6")),
    "mul_channels": ((1, 4, 5, 8), lambda b, x: b.mul(x, b.logistic(b.average_pool_2d(x)))),
    "mul_pixels": ((1, 4, 5, 3), lambda b, x: b.mul(b.conv_2d(x, 1), x)),
    "maximum": (
        (1, 3, 5, 7),
        lambda b, x: b.maximum(x, b.max_pool_2d(x, kernel=2, stride=1, padding="same")),
    ),
    "minimum_channels": ((1, 4, 5, 7), lambda b, x: b.minimum(x, b.average_pool_2d(x))),
    "mean": ((1, 4, 5, 7), lambda b, x: b.mean(x, (1, 2), keep_dims=True)),
    "mean_flat": ((2, 4, 5, 9), lambda b, x: b.mean(x, (1, 2))),
    "mean_large": ((1, 30, 20, 6), lambda b, x: b.mean(x, (1, 2), keep_dims=True)),
    "mean_channels": ((1, 3, 5, 9), lambda b, x: b.mean(x, (3,))),
    "mean_rows": ((1, 6, 5, 3), lambda b, x: b.mean(x, (1,))),
    "mean_all": ((1, 6, 5, 3), lambda b, x: b.mean(x, (1, 2, 3))),
    "pad": ((1, 4, 5, 7), lambda b, x: b.pad(x, ((0, 0), (1, 2), (0, 3), (0, 1)))),
    **{
        name: ((1, 3, 5, 9), lambda b, x, name=name: getattr(b, name)(x))
        for name in ("hard_swish", "leaky_relu", "logistic", "relu", "relu6", "tanh")
    },
    **{
        f"softmax_{size}": ((3, size), lambda b, x: b.softmax(x, beta=2.0))
        for size in (1, 2, 12, 35, 300)
    },
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, tflite_micro: HostRuntime, libraries: dict[str, Library]) -> None:
    """Each operator on host, M4 and M7."""
    shape, layer_of = LAYERS[name]
    for seed in range(3):
        builder = ModelBuilder(seed=seed)
        builder.output(layer_of(builder, builder.input(shape)))
        model = builder.build()
        rng = np.random.default_rng(seed)
        inputs = [rng.integers(-128, 128, shape).astype(np.int8)]
        answer = tflite_micro.run(model, inputs)
        assert not answer.error, answer.error
        device = device_model(read_graph(model))
        assert all(op.is_custom for op in device.main.operators)
        for library_name, library in libraries.items():
            (output,) = run_device_model(library, device, inputs)
            expected = answer.outputs[0].reshape(-1)
            np.testing.assert_array_equal(output, expected, err_msg=library_name)
