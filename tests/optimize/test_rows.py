"""Groups of layers in rows, chosen together with the plan."""

from __future__ import annotations

import math

import numpy as np
import pytest

from predictor.model.builder import ModelBuilder
from predictor.model.device.reader import read_options
from predictor.model.device.stream import StreamOptions
from predictor.model.device.stream_stage import GROUP_INPUT
from predictor.model.tflite_writer import write_model
from predictor.operators.mn.stream import stream_distance
from predictor.optimization.optimization import Optimization, count_instructions, optimize_model
from predictor.optimization.optimizer import OptimizeOptions
from predictor.optimization.row_search import Edge, Variant, best_path
from predictor.report.optimization_forms import plan_svg
from tests.kernels.streams import TYPES, in_rows, random_network


def _optimized(content: bytes, most: float | None = None) -> Optimization:
    settings = OptimizeOptions(
        max_slowdown=most, time_limit_s=20, compact=False, instructions=count_instructions
    )
    return optimize_model(content, "f446re", settings, kernels="mn")


def _tall() -> bytes:
    """A network whose first tensors are the largest by far."""
    builder = ModelBuilder("tall", seed=1)
    x = builder.input((1, 32, 32, 1))
    x = builder.conv_2d(x, 16, kernel=3, activation="relu")
    x = builder.depthwise_conv_2d(x, kernel=3, stride=2, activation="relu")
    x = builder.conv_2d(x, 24, activation="relu")
    x = builder.depthwise_conv_2d(x, kernel=3, stride=2, activation="relu")
    builder.output(builder.conv_2d(x, 8))
    return builder.build()


def test_a_tall_network_needs_a_quarter() -> None:
    content = _tall()
    plain, rows = _optimized(content, 0.0), _optimized(content)
    assert not plain.groups
    assert rows.groups
    after = rows.optimized.after
    assert 4 * after.nonpersistent_bytes < plain.optimized.after.nonpersistent_bytes
    assert after.nonpersistent_bytes == rows.after.arena.nonpersistent_bytes
    assert rows.optimized.is_optimal
    # Each row is computed once.
    assert rows.after.ops.total_macs == rows.before.ops.total_macs
    assert "groups" in rows.to_json()


def test_a_pooling_over_the_whole_image_ends_a_group() -> None:
    """No tensor is whole: the last layer sums rows as they come."""
    builder = ModelBuilder("whole", seed=1)
    x = builder.conv_2d(builder.input((1, 24, 8, 1)), 16, kernel=3)
    x = builder.pad(builder.conv_2d(x, 16), ((0, 0), (1, 1), (1, 1), (0, 0)))
    x = builder.depthwise_conv_2d(x, kernel=3, padding="valid")
    builder.output(builder.average_pool_2d(builder.conv_2d(x, 16)))
    found = _optimized(builder.build())
    assert [len(options.stages) for _, options in found.groups] == [6]
    options = found.groups[0][1]
    assert options.stages[-1].is_summed
    assert options.lines[-1] == (5, 4 * 16)
    assert 3 * found.optimized.after.nonpersistent_bytes < 24 * 8 * 16 * 2
    picture = plan_svg(found)
    assert "line buffer of layer 0 of 6 in rows" in picture
    assert "sums of channels" in picture


def test_the_limit_on_instructions_holds() -> None:
    content = _tall()
    for most in (0.01, 0.03, 0.1):
        assert _optimized(content, most).extra_instructions_percent <= 100 * most + 0.01


@pytest.mark.parametrize("seed", range(8))
def test_never_above_the_plan_without(seed: int) -> None:
    content = write_model(random_network(seed, TYPES[seed % 2]))
    plain, rows = _optimized(content, 0.0), _optimized(content)
    assert rows.optimized.after.required_bytes <= plain.optimized.after.required_bytes


def _is_safe(options: StreamOptions, distance: int) -> bool:
    """A literal walk: input bytes are whole when they are read."""
    size = options.rows * options.row_bytes
    last = options.stages[-1]
    memory = np.zeros(distance + size + last.output_bytes, bool)
    for run in options.runs:
        stage = options.stages[run.stage]
        if GROUP_INPUT in stage.sources:
            begin, end = (distance + row * options.row_bytes for row in (run.begin, run.end))
            if memory[begin:end].any():
                return False
        if last.is_summed:
            continue  # written when all has been read
        if run.stage == len(options.stages) - 1:
            memory[run.first * last.row_bytes : (run.first + run.count) * last.row_bytes] = True
    return True


def test_distances_are_those_of_a_walk() -> None:
    positive = 0
    for seed in range(30):
        for op in in_rows(random_network(seed, TYPES[seed % 4]), seed).main.operators:
            if "STREAM" not in op.name:
                continue
            options = read_options(op.name, op.custom_options)
            assert isinstance(options, StreamOptions)
            distance = stream_distance(options)
            assert _is_safe(options, distance)
            reads_input = GROUP_INPUT in options.stages[-1].sources
            if distance and not reads_input:
                assert not _is_safe(options, distance - 1)
                positive += 1
    assert positive > 3


def test_paths() -> None:
    """The lowest path, then the cheapest; a group is looked at only where it may help."""
    looked: list[str] = []

    def look(name: str, height: int, extra: float) -> list[Variant]:
        looked.append(name)
        return [Variant(height, extra)]

    def edges() -> list[Edge]:
        looked.clear()
        return [
            Edge(0, 1, [Variant(100, 0.0)]),
            Edge(1, 2, [Variant(80, 0.0)]),
            Edge(2, 3, [Variant(30, 0.0)]),
            Edge(0, 2, [Variant(40, 0.0)], lambda: look("first", 60, 5.0)),
            Edge(0, 3, [Variant(90, 0.0)], lambda: look("all", 95, 1.0)),
        ]

    found = best_path(edges(), 3, math.inf, lambda: False)
    assert found is not None
    assert (found.height_bytes, found.extra_instructions, looked) == (60, 5.0, ["first"])
    found = best_path(edges(), 3, 2.0, lambda: False)
    assert found is not None
    assert (found.height_bytes, found.extra_instructions) == (95, 1.0)
    found = best_path(edges(), 3, math.inf, lambda: True)
    assert found is not None
    assert (found.height_bytes, looked) == (100, [])
