"""Models that bring a memory plan: an optimised model never needs more than the one it was."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.errors import PredictorError
from predictor.model.metadata import OFFLINE_PLAN, ONLINE_PLANNED, offline_plan_bytes
from predictor.model.random_graphs import random_graph
from predictor.model.tflite_writer import write_model
from predictor.optimization.optimization import optimize_model
from predictor.optimization.optimizer import OptimizeOptions
from predictor.optimization.overlap import OverlapLevel
from tests.shared_data import SHARED

ROBUSTNESS = SHARED / "cases" / "robustness"
LEVELS = list(OverlapLevel)
SETTINGS = OptimizeOptions(time_limit_s=0.2)


def _check(content: bytes, level: OverlapLevel, kernels: str | None) -> None:
    settings = replace(SETTINGS, overlap=level)
    try:
        found = optimize_model(content, settings=settings, kernels=kernels)
    except PredictorError:
        return
    assert found.after.arena.required_bytes <= found.before.arena.required_bytes
    assert found.after.arena.required_bytes == found.optimized.after.required_bytes


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 200),
    st.data(),
    st.sampled_from(LEVELS),
    st.sampled_from((None, "reference", "ours")),
)
def test_plans_of_any_offsets(
    seed: int, data: st.DataObject, level: OverlapLevel, kernels: str | None
) -> None:
    graph = random_graph(seed, max_operators=6).graph()
    offset = st.just(ONLINE_PLANNED) | st.integers(0, 40).map(lambda number: 16 * number)
    offsets = data.draw(st.lists(offset, min_size=graph.tensor_count, max_size=graph.tensor_count))
    plan = memoryview(offline_plan_bytes(offsets))
    metadata = MappingProxyType({**graph.metadata, OFFLINE_PLAN: plan})
    _check(write_model(replace(graph, metadata=metadata)), level, kernels)


@pytest.mark.skipif(not ROBUSTNESS.is_dir(), reason="needs ../shared/cases/robustness")
@pytest.mark.parametrize("name", ["worse_b597c0dad808.tflite", "worse_e9503dbb0b56.tflite"])
@pytest.mark.parametrize("kernels", [None, "reference", "ours"])
@pytest.mark.parametrize("level", LEVELS)
def test_plans_that_once_became_worse(name: str, kernels: str | None, level: OverlapLevel) -> None:
    _check((ROBUSTNESS / name).read_bytes(), level, kernels)
