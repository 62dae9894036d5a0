"""Layers in stripes of rows: equal to the bit, proved, planned with views, refused where wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from predictor.cli.main import cli
from predictor.errors import UnprovedError
from predictor.memory.arena import arena
from predictor.memory.arena_report import ArenaReport
from predictor.memory.revision import load_revision
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import mobilenet_v2, person_detection
from predictor.model.graph import Graph
from predictor.model.metadata import OFFLINE_PLAN, offline_plan_bytes, read_plan_origin
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.optimization.compaction.surgery import integers, with_values
from predictor.optimization.optimizer import OptimizeOptions, optimize
from predictor.optimization.overlap import plan_faults
from predictor.optimization.stripes.merging import merged, prove_equal_layers
from predictor.optimization.stripes.striping import MOST_STRIPES, find_group, striped
from predictor.optimization.stripes.views import views_of
from predictor.optimization.verification.rows import prove_rows_equal
from predictor.optimization.verification.verifier import prove_equal
from predictor.proof.host_runtime import HostRuntime, random_inputs

HOST = load_revision("2026.08-x86_64", "reference")
CMSIS_NN = load_revision("2026.08", "cmsis_nn")


def _network() -> Graph:
    """Windows of several sizes, an explicit padding, a residual addition, a pool."""
    builder = ModelBuilder("network")
    x = builder.input((1, 19, 16, 4))
    x = builder.conv_2d(x, 8, kernel=3, activation="relu")
    y = builder.depthwise_conv_2d(x, kernel=5, activation="relu6")
    y = builder.conv_2d(y, 8)
    x = builder.add(x, y)
    x = builder.pad(x, ((0, 0), (1, 2), (1, 1), (0, 0)))
    x = builder.conv_2d(x, 4, kernel=3, stride=2, padding="valid")
    x = builder.max_pool_2d(x, kernel=2)
    builder.output(x)
    return read_graph(bytes(builder.build()))


def _groups(graph: Graph) -> list[tuple[int, int]]:
    count = len(graph.main.operators)
    return [
        (start, stop)
        for start in range(count)
        for stop in range(start + 1, count + 1)
        if find_group(graph.main, start, stop) is not None
    ]


def _in_stripes(graph: Graph, start: int, stop: int, count: int) -> Graph:
    group = find_group(graph.main, start, stop)
    assert group is not None
    return striped(graph, group, count)


def _assert_equal(runtime: HostRuntime, first: Graph, second: Graph) -> None:
    shapes = [(first.main.tensors[index].shape, "i1") for index in first.main.inputs]
    for seed in range(2):
        inputs = random_inputs(shapes, seed)
        before, after = (runtime.run(write_model(graph), inputs) for graph in (first, second))
        assert before.error == after.error == ""
        for old, new in zip(before.outputs, after.outputs, strict=True):
            np.testing.assert_array_equal(old, new)


def test_every_group_in_every_count_is_equal_and_proved(tflite_micro: HostRuntime) -> None:
    graph = _network()
    groups = _groups(graph)
    assert (0, 7) in groups
    assert (0, 2) not in groups  # the addition behind it reads what is inside
    for number, (start, stop) in enumerate(groups):
        group = find_group(graph.main, start, stop)
        assert group is not None
        counts = [n for n in range(2, min(MOST_STRIPES, group.rows) + 1) if group.can_have(n)]
        changed = striped(graph, group, counts[number % len(counts)])
        prove_rows_equal(graph, changed)
        _assert_equal(tflite_micro, graph, changed)


def test_random_graphs_in_stripes_are_equal_and_proved(tflite_micro: HostRuntime) -> None:
    tried = 0
    for seed in range(40):
        graph = read_graph(bytes(random_graph(seed, max_operators=20).build()))
        groups = [(start, stop) for start, stop in _groups(graph) if stop - start > 1]
        for start, stop in groups[:: max(1, len(groups) // 2)][:2]:
            group = find_group(graph.main, start, stop)
            if group is None or group.rows < 2 or not group.can_have(2):
                continue
            changed = striped(graph, group, 2)
            prove_rows_equal(graph, changed)
            _assert_equal(tflite_micro, graph, changed)
            tried += 1
    assert tried >= 10


def test_layers_are_found_again() -> None:
    graph = _network()
    changed = _in_stripes(graph, 0, 6, 3)
    layers = merged(changed)
    assert len(layers.main.operators) == len(graph.main.operators)
    prove_rows_equal(layers, changed)
    prove_equal_layers(graph, changed)  # though padding behind the last window is left out
    with pytest.raises(UnprovedError):
        prove_equal(graph, layers)
    assert merged(graph) is graph


@pytest.mark.parametrize("name", ["GATHER", "PAD"])
def test_other_rows_or_padding_are_no_proof(name: str) -> None:
    graph = _network()
    changed = _in_stripes(graph, 0, 4, 3)
    op = next(op for op in changed.main.operators if op.name == name)
    tensor = changed.main.tensors[op.inputs[1]]
    values = integers(tensor)
    other = values + 1 if name == "GATHER" else np.array(values)[:, ::-1]
    tensors = list(changed.main.tensors)
    tensors[tensor.index] = with_values(tensor, other)
    wrong = replace(changed, subgraphs=(replace(changed.main, tensors=tuple(tensors)),))
    with pytest.raises(UnprovedError):
        prove_rows_equal(graph, wrong)
    with pytest.raises(UnprovedError):
        prove_equal_layers(graph, wrong)


def test_other_weights_are_no_proof() -> None:
    first = _in_stripes(_network(), 0, 4, 2)
    filter_index = next(op for op in first.main.operators if op.name == "CONV_2D").inputs[1]
    tensors = list(first.main.tensors)
    tensor = tensors[filter_index]
    tensors[filter_index] = with_values(tensor, -integers(tensor))
    wrong = replace(first, subgraphs=(replace(first.main, tensors=tuple(tensors)),))
    with pytest.raises(UnprovedError):
        prove_rows_equal(_network(), wrong)


@pytest.mark.parametrize("make", [person_detection, mobilenet_v2])
def test_less_arena_as_the_runtime_reports_it(
    tflite_micro: HostRuntime, make: Callable[..., ModelBuilder]
) -> None:
    graph = read_graph(bytes(make(size=64).build()))
    plain = optimize(graph, HOST, OptimizeOptions(time_limit_s=10))
    found = optimize(graph, HOST, OptimizeOptions(time_limit_s=20, stripes=True))
    assert found.stripes
    assert found.after.required_bytes < plain.after.required_bytes
    assert found.extra_instructions > 0
    assert not plan_faults(found.after)
    origin = read_plan_origin(found.graph.metadata)
    assert origin is not None
    assert origin.stripes == tuple((item.start, item.stop, item.count) for item in found.stripes)
    prove_equal_layers(graph, found.graph)
    _assert_equal(tflite_micro, graph, found.graph)
    allocations = tflite_micro.run(write_model(found.graph)).allocations
    assert allocations is not None
    assert allocations.head_bytes == found.after.nonpersistent_bytes


def test_slowdown_is_limited() -> None:
    graph = read_graph(bytes(person_detection(size=64).build()))
    options = OptimizeOptions(time_limit_s=10, stripes=True, max_slowdown=0)
    found = optimize(graph, CMSIS_NN, options)
    assert not found.stripes
    assert found.extra_instructions == 0


def test_views_anywhere_else_are_faults() -> None:
    """A stripe one row off its place in the input overwrites rows that the next one reads."""
    graph = _in_stripes(_network(), 0, 4, 2)
    views = views_of(graph.main)
    report = arena(graph, HOST)
    offsets = [-1] * len(graph.main.tensors)
    base = 0
    for buffer in report.buffers:
        if buffer.tensor is not None:
            offsets[buffer.tensor.index] = base
            base += buffer.size_bytes
    for index, view in views.items():
        offsets[index] = offsets[view.parent] + view.offset_bytes
    assert not plan_faults(_planned(graph, offsets))
    rows = next(index for index, view in views.items() if not view.is_part)
    offsets[rows] += 16
    assert plan_faults(_planned(graph, offsets))


def _planned(graph: Graph, offsets: list[int]) -> ArenaReport:
    plan = {OFFLINE_PLAN: memoryview(offline_plan_bytes(offsets))}
    return arena(replace(graph, metadata=plan), HOST)


def test_command_writes_and_verifies(tmp_path: Path) -> None:
    before, after = tmp_path / "before.tflite", tmp_path / "after.tflite"
    before.write_bytes(bytes(person_detection(size=64, classes=3).build()))
    arguments = ["optimize", str(before), "-o", str(after), "--stripes", "--kernels", "cmsis_nn"]
    arguments += ["--max-slowdown", "20%", "--time-limit", "10"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert "stripes of rows" in result.output
    result = CliRunner().invoke(cli, ["optimize", "--verify", str(before), str(after)])
    assert result.exit_code == 0
    assert "EQUAL" in result.output
    result = CliRunner().invoke(cli, [str(after), "--kernels", "cmsis_nn"])
    assert "WRONG" not in result.output
