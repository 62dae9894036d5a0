"""Predicted arenas against TFLM's own, on random models in its Python runtime."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from predictor.memory.arena import arena
from predictor.memory.arena_report import ArenaReport
from predictor.memory.revision import load_revision
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import EXAMPLE_MODELS
from predictor.model.random_graphs import chain, random_graph
from predictor.model.tflite_reader import read_graph
from predictor.proof.host_runtime import Allocations, HostRuntime
from tests.wheel_revision import wheel_revision

X86_64 = load_revision("2026.08-x86_64", "reference")


def _measure(runtime: HostRuntime, content: bytes) -> Allocations:
    result = runtime.run(content)
    assert not result.error, f"{result.error}\n{result.log[-2000:]}"
    assert result.allocations is not None
    return result.allocations


def _head(report: ArenaReport) -> int:
    assert report.exact
    return report.nonpersistent_bytes


def _check_tail(content: bytes, measured: Allocations) -> None:
    report = arena(read_graph(content), wheel_revision())
    used = {kind: usage for kind, usage in report.recorded.items() if usage.used_bytes}
    assert used == measured.kinds
    assert report.recorded_persistent_bytes == measured.tail_bytes
    assert measured.total_bytes == measured.head_bytes + measured.tail_bytes


def _check_arena(runtime: HostRuntime, builder: ModelBuilder) -> None:
    content = builder.build()
    measured = _measure(runtime, content)
    assert _head(arena(read_graph(content), X86_64)) == measured.head_bytes
    _check_tail(content, measured)


@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32 - 1), operators=st.integers(5, 60))
def test_arena_of_random_graphs_is_exact(
    tflite_micro: HostRuntime, seed: int, operators: int
) -> None:
    graph = random_graph(seed, min_operators=operators, max_operators=operators)
    _check_arena(tflite_micro, graph)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_arena_of_a_thousand_random_graphs_is_exact(tflite_micro: HostRuntime) -> None:
    for seed in range(1000):
        _check_arena(tflite_micro, random_graph(seed, max_operators=120))


@pytest.mark.parametrize("type", ["int8", "int16", "float32"])
@pytest.mark.parametrize("name", sorted(EXAMPLE_MODELS))
def test_arena_of_example_models_is_exact(tflite_micro: HostRuntime, name: str, type: str) -> None:
    _check_arena(tflite_micro, EXAMPLE_MODELS[name](type=type))


@pytest.mark.parametrize("name", sorted(EXAMPLE_MODELS))
def test_arena_of_int4_models_is_exact(tflite_micro: HostRuntime, name: str) -> None:
    _check_arena(tflite_micro, EXAMPLE_MODELS[name](weights="int4"))


@pytest.mark.parametrize("branch_every", [0, 3])
def test_arena_of_a_long_chain_is_exact(tflite_micro: HostRuntime, branch_every: int) -> None:
    _check_arena(tflite_micro, chain(300, branch_every=branch_every))


def test_offline_plans_are_obeyed(tflite_micro: HostRuntime) -> None:
    """Two tensors that TFLM would overlay are planned apart, which shows in the head."""
    builder = ModelBuilder("planned")
    x = builder.input((1, 8, 8, 4))
    first = builder.relu(x)
    second = builder.relu(first)
    builder.output(builder.relu(second))
    online = _measure(tflite_micro, builder.build())
    builder.offline_plan({x: 0, first: 256, second: 4096})
    planned = _measure(tflite_micro, builder.build())
    assert online.head_bytes == 512
    assert planned.head_bytes == 4096 + 256
    _check_arena(tflite_micro, builder)


def test_reading_and_predicting_is_fast() -> None:
    """A DS-CNN takes milliseconds; the bound is generous, for slow and busy machines."""
    content = EXAMPLE_MODELS["ds_cnn"]().build()
    arena(read_graph(content), X86_64)
    start = time.perf_counter()
    arena(read_graph(content), X86_64)
    assert time.perf_counter() - start < 0.25


def test_a_crash_or_an_error_leaves_the_runtime_usable(tflite_micro: HostRuntime) -> None:
    content = EXAMPLE_MODELS["autoencoder"]().build()
    refused = tflite_micro.run(content, arena_bytes=1024)
    assert refused.error
    assert refused.allocations is None
    hung = tflite_micro.run(content, timeout_s=0.0)
    assert hung.error
    assert _measure(tflite_micro, content).head_bytes == 768
