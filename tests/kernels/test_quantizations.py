"""Operators of int8 values under any scales and zero points: as TFLM's kernels, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kernels.binding import NativeLibrary
from kernels.device_runtime import run_device_model
from predictor.errors import RefusedError
from predictor.model.builder import ModelBuilder, TensorRef
from predictor.model.device.device_model import device_model
from predictor.model.device.layers import drop_in_options_of
from predictor.model.graph import Graph, Quantization
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.proof.host_runtime import HostRuntime

SHAPE = (1, 2, 8, 16)
"""As many elements as int8 has values."""
_ROW = (1, 1, 1, 16)

OPERATORS: dict[str, Callable[[ModelBuilder, TensorRef], TensorRef]] = {
    **{
        name: lambda b, x, name=name: getattr(b, name)(x)
        for name in ("hard_swish", "leaky_relu", "logistic", "relu", "relu6", "tanh")
    },
    "add": lambda b, x: b.add(x, b.input(_ROW)),
    "mean": lambda b, x: b.mean(x, (1, 2)),
    "mul": lambda b, x: b.mul(x, b.input(SHAPE), activation="relu"),
    "sub": lambda b, x: b.sub(x, b.input(SHAPE)),
}


def _requantized(rng: np.random.Generator, graph: Graph, operator: str) -> Graph:
    """The model with other scales, from nearly equal to a thousand times as large."""
    spread = float(rng.choice([0.01, 1.0, 7.0]))

    def quantization() -> Quantization:
        scale = np.float32(0.05 * np.exp(rng.uniform(-spread, spread)))
        return Quantization((float(scale),), (int(rng.integers(-128, 128)),))

    tensors = list(graph.main.tensors)
    ends = [*graph.main.inputs, *graph.main.outputs]
    if operator in ("logistic", "tanh"):
        ends.pop()  # fixed by the operator
    for index in ends:
        tensors[index] = replace(tensors[index], quantization=quantization())
    return replace(graph, subgraphs=(replace(graph.main, tensors=tuple(tensors)),))


@pytest.mark.parametrize("operator", OPERATORS)
def test_any_quantization(operator: str, tflite_micro: HostRuntime, host: NativeLibrary) -> None:
    """Device models compute it or leave it to TFLM, as the drop-in operator does."""
    rng = np.random.default_rng(len(operator))
    builder = ModelBuilder(seed=0)
    builder.output(OPERATORS[operator](builder, builder.input(SHAPE)))
    original = read_graph(builder.build())
    converted = 0
    for _ in range(25):
        graph = _requantized(rng, original, operator)
        try:
            device = device_model(graph)
            drop_in_options_of(graph.main, graph.main.operators[0])
        except RefusedError:
            assert operator == "add" or device is graph
        if device is graph:
            continue
        values = np.arange(-128, 128).astype(np.int8)
        inputs = [
            rng.permutation(values)[: np.prod(graph.main.tensors[index].shape)]
            for index in graph.main.inputs
        ]
        shaped = [
            data.reshape(graph.main.tensors[index].shape)
            for data, index in zip(inputs, graph.main.inputs, strict=True)
        ]
        answer = tflite_micro.run(write_model(graph), shaped)
        assert not answer.error, answer.error
        (output,) = run_device_model(host, device, inputs)
        np.testing.assert_array_equal(
            output, answer.outputs[0].reshape(-1), str(graph.main.tensors)
        )
        converted += 1
    assert converted >= 8
