"""Whole networks as device models: the kernels against the reference, and against TFLM for int8."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.binding import NativeLibrary
from kernels.device_runtime import run_device_model
from predictor.model.device.device_model import device_model, preparable
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.optimization.prepared_filters import prepared_operators
from predictor.proof.host_runtime import HostRuntime
from tests.networks import int4_layers, network

NETWORKS = {
    "s8": network(),
    "s8_w4": network(weights="int4"),
    "s4": network("int4", "int4"),
    "s4_w8": network("int4", "int8"),
    "s4_odd": network("int4", "int4", channels=23),
    "s4_layers": int4_layers(),
}


@pytest.mark.parametrize("form", ["flash", "arena", "prepared"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str, form: str, host: NativeLibrary, tflite_micro: HostRuntime) -> None:
    """Kernels, reference, and TFLM where it has kernels for the types."""
    graph = NETWORKS[name]
    prepared = preparable(graph) if form == "prepared" else ()
    tables = "arena" if form == "arena" else "flash"
    device = read_graph(write_model(device_model(graph, tables, prepared)))
    assert prepared_operators(device) == prepared
    rng = np.random.default_rng(3)
    shapes = [graph.main.tensors[index].shape for index in graph.main.inputs]
    for _ in range(5):
        inputs = [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
        outputs = run_device_model(host, device, inputs)
        expected = run_device_model(host, device, inputs, reference=True)
        for output, reference in zip(outputs, expected, strict=True):
            assert len(np.unique(reference)) > 1
            np.testing.assert_array_equal(output, reference)
        if name.startswith("s8"):
            answer = tflite_micro.run(write_model(graph), inputs)
            assert not answer.error, answer.error
            for output, reference in zip(outputs, answer.outputs, strict=True):
                np.testing.assert_array_equal(output, reference.reshape(-1))
