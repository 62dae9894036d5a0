"""Optimised models: the same results, the memory that TFLM reports, never worse."""

from __future__ import annotations

import numpy as np
import pytest

from predictor.memory.arena import arena
from predictor.memory.revision import load_revision
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import EXAMPLE_MODELS
from predictor.model.metadata import read_plan_origin
from predictor.model.random_graphs import chain, random_graph
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.optimization.offline_plan import without_plan
from predictor.optimization.optimizer import OptimizeOptions, optimize
from predictor.optimization.overlap import OverlapLevel, optimized_bound_bytes
from predictor.proof.host_runtime import HostRuntime, random_inputs

HOST = load_revision("2026.08-x86_64", "reference")
CMSIS_NN = load_revision("2026.08", "cmsis_nn")
QUICK = 2.0


def _check(runtime: HostRuntime, builder: ModelBuilder, options: OptimizeOptions) -> None:
    content = bytes(builder.build())
    graph = read_graph(content)
    found = optimize(graph, HOST, options)
    assert found.after.nonpersistent_bytes <= found.before.nonpersistent_bytes
    assert found.gap_bytes >= 0
    inputs = random_inputs([(graph.main.tensors[i].shape, "i1") for i in graph.main.inputs], 3)
    before, after = runtime.run(content, inputs), runtime.run(write_model(found.graph), inputs)
    assert before.error == after.error == ""
    for old, new in zip(before.outputs, after.outputs, strict=True):
        np.testing.assert_array_equal(old, new)
    assert after.allocations is not None
    assert after.allocations.head_bytes == found.after.nonpersistent_bytes


@pytest.mark.parametrize("level", OverlapLevel)
@pytest.mark.parametrize("reorder", [False, True])
def test_random_graphs_compute_the_same(
    tflite_micro: HostRuntime, level: OverlapLevel, reorder: bool
) -> None:
    options = OptimizeOptions(overlap=level, reorder=reorder, time_limit_s=QUICK)
    for seed in range(12):
        _check(tflite_micro, random_graph(seed, max_operators=25), options)


def test_an_input_that_is_an_output_survives(tflite_micro: HostRuntime) -> None:
    """Its life ends with the last operator, but the application reads it afterwards."""
    builder = ModelBuilder("kept")
    x = builder.input((1, 8, 8, 4))
    y = builder.relu(x)
    builder.output(y, x)
    _check(tflite_micro, builder, OptimizeOptions())


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("level", [OverlapLevel.NONE, OverlapLevel.DIAGONAL])
def test_five_hundred_random_graphs(tflite_micro: HostRuntime, level: OverlapLevel) -> None:
    options = OptimizeOptions(overlap=level, time_limit_s=QUICK)
    for seed in range(500):
        _check(tflite_micro, random_graph(seed), options)


@pytest.mark.parametrize("name", sorted(EXAMPLE_MODELS))
def test_example_models(tflite_micro: HostRuntime, name: str) -> None:
    _check(tflite_micro, EXAMPLE_MODELS[name](), OptimizeOptions(time_limit_s=QUICK))


def test_prediction_of_the_written_file_is_that_of_the_optimisation() -> None:
    graph = read_graph(bytes(EXAMPLE_MODELS["ds_cnn"]().build()))
    found = optimize(graph, CMSIS_NN)
    written = read_graph(write_model(found.graph))
    report = arena(written, CMSIS_NN)
    assert report.used_bytes == found.after.used_bytes < found.before.used_bytes
    assert report.required_bytes == found.after.required_bytes
    origin = read_plan_origin(written.metadata)
    assert origin == found.origin
    assert origin.kernels == "cmsis_nn"
    assert set(found.steered) <= set(origin.distances)
    # Optimising once more starts from the model without its plan.
    again = optimize(written, CMSIS_NN)
    assert again.after.nonpersistent_bytes <= found.after.nonpersistent_bytes
    assert without_plan(written).metadata == {}


def test_steering_is_bounded_by_the_slowdown() -> None:
    graph = read_graph(bytes(EXAMPLE_MODELS["ds_cnn"]().build()))
    free = optimize(graph, CMSIS_NN)
    none = optimize(graph, CMSIS_NN, OptimizeOptions(max_slowdown=0))
    assert free.steered
    assert none.steered == ()
    assert free.after.nonpersistent_bytes < none.after.nonpersistent_bytes


@pytest.mark.parametrize("name", sorted(EXAMPLE_MODELS))
@pytest.mark.parametrize("kernels", ["cmsis_nn", "reference"])
def test_cheap_bound_is_a_bound(name: str, kernels: str) -> None:
    graph = read_graph(bytes(EXAMPLE_MODELS[name]().build()))
    found = optimize(graph, load_revision("2026.08", kernels))
    assert optimized_bound_bytes(found.before) <= found.after.nonpersistent_bytes


def test_a_thousand_operators_within_the_time_limit() -> None:
    graph = read_graph(bytes(chain(1000, branch_every=5).build()))
    found = optimize(graph, HOST, OptimizeOptions(time_limit_s=3.0))
    assert found.after.nonpersistent_bytes <= found.before.nonpersistent_bytes
    assert found.solver_s < 30
