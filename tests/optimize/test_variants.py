"""Overlaps hang on the kernel that runs, and so on the instructions of the core."""

from __future__ import annotations

import pytest

from predictor.cores.core import find_core
from predictor.memory.preparation import prepare
from predictor.memory.revision import load_revision
from predictor.model.builder import ModelBuilder
from predictor.model.graph import Graph
from predictor.optimization.overlap import distance_of


def _network() -> Graph:
    builder = ModelBuilder("model", seed=1)
    x = builder.conv_2d(builder.input((1, 8, 8, 4)), 8, kernel=3)
    x = builder.depthwise_conv_2d(x, kernel=3)
    x = builder.average_pool_2d(x, kernel=2, stride=2)
    builder.output(builder.max_pool_2d(x, kernel=2, stride=2))
    return builder.graph()


@pytest.mark.parametrize(
    ("core", "without", "is_known"),
    [
        ("cortex-m4", (), True),
        ("cortex-m33", (), True),
        ("cortex-m33", ("dsp",), False),
        ("cortex-m0plus", (), False),
        ("cortex-m55", (), False),
        ("cortex-m55", ("mve",), True),
    ],
)
def test_windows_overlap_only_where_the_order_of_the_kernel_is_known(
    core: str, without: tuple[str, ...], is_known: bool
) -> None:
    for kernels, expected in (("cmsis_nn", is_known), ("reference", True)):
        revision = load_revision("2026.08", kernels, find_core(core, without=without))
        nodes = prepare(_network(), revision).nodes
        assert [bool(distance_of(node).overlaps) for node in nodes] == [expected] * 4
