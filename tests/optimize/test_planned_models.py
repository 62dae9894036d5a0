"""Measured models with offline plans: arenas to the byte, and plans not above those."""

from __future__ import annotations

import csv

import pytest

from predictor.optimization.optimization import count_instructions, optimize_model
from predictor.optimization.optimizer import OptimizeOptions
from predictor.prediction import predict
from tests.shared_data import MODELS, TRUTH, needs_shared

_ROWS = (
    list(csv.DictReader((TRUTH / "planned_m4.csv").read_text().splitlines()))
    if TRUTH.is_dir()
    else []
)
_BEST_BYTES = {
    "tflm_person_detect.tflite": 36_880,
    "zoo_ad_small_int8.tflite": 73_776,
    "mlperf_ic_int8.tflite": 33_312,
    "mlperf_kws_int8.tflite": 9_792,
    "zoo_ds_cnn_s_quantized.tflite": 9_792,
}
"""Planned bytes of the reference kernels, found by hand."""


@needs_shared
@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row["model"])
def test_arena_of_planned_models(row: dict[str, str]) -> None:
    arena = predict(MODELS / row["planned_model"]).arena
    assert arena.used_bytes == int(row["planned_arena_used_bytes"])
    assert arena.required_bytes == int(row["planned_min_arena_bytes"])


@needs_shared
@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row["model"])
def test_plans_for_cmsis_nn(row: dict[str, str]) -> None:
    """Not more bytes, and not more instructions than counted on a Cortex-M4, but for the model's
    half percent; counted were models with all their channels."""
    settings = OptimizeOptions(instructions=count_instructions, compact=False)
    result = optimize_model(MODELS / row["model"], "f446re", settings, kernels="cmsis_nn")
    before, after = (int(row[name]) for name in ("invoke_kinsns", "planned_invoke_kinsns"))
    assert result.planned_bytes[1] <= int(row["planned_head_bytes"])
    assert result.optimized.after.used_bytes <= int(row["planned_arena_used_bytes"])
    assert result.extra_instructions_percent <= 100 * (after / before - 1) + 0.1
    assert len(result.optimized.steered) == int(row["dilated_1x1_layers"])
    assert result.optimized.is_optimal


@needs_shared
@pytest.mark.parametrize("name", sorted(_BEST_BYTES))
def test_plans_for_reference_kernels(name: str) -> None:
    result = optimize_model(MODELS / name, kernels="reference")
    assert result.planned_bytes[1] <= _BEST_BYTES[name]
    assert result.optimized.is_optimal


@needs_shared
@pytest.mark.parametrize("name", sorted(_BEST_BYTES))
def test_plans_for_mn_kernels(name: str) -> None:
    """The same bytes: where scratch buffers of filters would lift the plan, these are prepared, or
    their layers run in rows."""
    result = optimize_model(MODELS / name, kernels="mn")
    assert result.planned_bytes[1] <= _BEST_BYTES[name]
    assert result.optimized.is_optimal
    is_lifted = "kws" in name or "ds_cnn" in name
    runs_in_rows = any(
        op.name.startswith("MN_STREAM") for op in result.optimized.graph.main.operators
    )
    assert result.prepared_filters or runs_in_rows or not is_lifted


@needs_shared
def test_tables_in_flash() -> None:
    """A tool of today takes 82,308 bytes for this model."""
    result = optimize_model(MODELS / "tflm_person_detect.tflite", kernels="mn")
    assert result.optimized.after.used_bytes <= 46 * 1024
    assert result.after.arena.used_bytes == result.optimized.after.used_bytes
