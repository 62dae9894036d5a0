"""The arena against upstream TFLM as measured on emulated Cortex-M4 and Cortex-M7."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

import predictor
from predictor.cores.core import Core, find_core
from predictor.errors import RefusedError
from predictor.memory.arena import arena
from predictor.memory.arena_report import ArenaReport
from predictor.memory.revision import DEFAULT_REVISION, load_revision
from predictor.model.tflite_reader import read_graph
from tests.shared_data import MODELS, TRUTH, measured_models, needs_shared, truth

SETS = (
    ("arena_m4.json", "plan_m4.json", "", "cmsis_nn"),
    ("arena_m7.json", "plan_m7.json", "", "cmsis_nn"),
    ("sweep_m4.json", "plan_sweep_m4.json", "sweep", "cmsis_nn"),
    ("sweep_m7.json", "plan_sweep_m7.json", "sweep", "cmsis_nn"),
    ("ops_m4.json", "plan_ops_m4.json", "ops", "cmsis_nn"),
    ("rnd_m4.json", "plan_rnd_m4.json", "rnd", "cmsis_nn"),
    ("arena_m4_reference.json", None, "", "reference"),
)

CORES = {
    "m0plus": ("cortex-m0plus", ()),
    "m3": ("cortex-m3", ()),
    "m33": ("cortex-m33", ()),
    "m55": ("cortex-m55", ()),
    "m55_nomve": ("cortex-m55", ("mve",)),
}
"""Cores whose arena was measured, too: name and the extensions that the chip lacks."""

# TFLM checks persistent requests against the head alone: a per-channel FULLY_CONNECTED may write
# its multipliers over the last bytes of a temporary tensor, which happens to be harmless. There the
# smallest arena that works lies 16 bytes below the safe one.
UNSAFE_BYTES = 16
UNSAFE_OPERATOR = "FULLY_CONNECTED"


def _cases() -> list[Any]:
    return [
        pytest.param(
            path,
            measurement,
            truth(plan)[model].get("plan") if plan else None,
            kernels,
            id=f"{name.removesuffix('.json')}-{model}",
        )
        for name, plan, folder, kernels in SETS
        for model, path, measurement in measured_models(name, folder)
    ]


MEASURED_VARIABLES = 32
"""Resource variables for which the measured application made room."""


def _predict(path: Path, kernels: str, core: Core | None = None) -> ArenaReport:
    revision = load_revision(DEFAULT_REVISION, kernels, core)
    return arena(read_graph(path), revision, MEASURED_VARIABLES)


@needs_shared
@pytest.mark.parametrize("chip", CORES)
@pytest.mark.parametrize("folder", ["", "sweep", "ops", "rnd"])
def test_arena_is_exact_on_other_cores(chip: str, folder: str) -> None:
    """CMSIS-NN takes other kernels there, with other buffers; all else is the same."""
    name, without = CORES[chip]
    core = find_core(name, without=without)
    wrong, models = [], measured_models(f"cores/{chip}_{folder or 'named'}.json", folder)
    for model, path, measured in models:
        if measured.get("allocate_status") != 0:
            with pytest.raises(RefusedError):
                _predict(path, "cmsis_nn", core)
            continue
        report = _predict(path, "cmsis_nn", core)
        found = report.used_bytes, report.nonpersistent_bytes, report.persistent_bytes
        names = ("arena_used_bytes", "non_persistent", "persistent")
        excess = report.required_bytes - measured.get("min_arena_bytes", report.required_bytes)
        is_exact = excess == 0 or (
            excess in (UNSAFE_BYTES, 2 * UNSAFE_BYTES) and _may_overwrite_temporaries(report)
        )
        if found != tuple(measured[name] for name in names) or not is_exact:
            wrong.append(model)
    assert models
    assert not wrong


@needs_shared
@pytest.mark.parametrize(("path", "measured", "plan", "kernels"), _cases())
def test_arena_is_exact(
    path: Path, measured: dict[str, Any], plan: list[list[int]] | None, kernels: str
) -> None:
    if measured.get("allocate_status") != 0:
        with pytest.raises(RefusedError):
            _predict(path, kernels)
        return
    report = _predict(path, kernels)
    assert report.exact
    assert report.used_bytes == measured["arena_used_bytes"]
    assert report.nonpersistent_bytes == measured["non_persistent"]
    assert report.persistent_bytes == measured["persistent"]
    if "min_arena_bytes" in measured:
        excess = report.required_bytes - measured["min_arena_bytes"]
        assert excess == 0 or (excess == UNSAFE_BYTES and _may_overwrite_temporaries(report))
    for kind, usage in report.recorded.items():
        assert asdict(usage) == measured["recording"][kind], kind
    assert sum(u.used_bytes for u in report.breakdown.values()) == report.persistent_bytes
    if plan is not None:
        assert plan == [[b.size_bytes, b.first_use, b.last_use, b.offset] for b in report.buffers]
    if report.invoke_errors:
        assert measured["invoke_status"] != 0
    elif measured["invoke_status"] != 0:
        assert any("when it runs on a value" in note for note in report.prepared.notes)


def _may_overwrite_temporaries(report: ArenaReport) -> bool:
    main = report.prepared.graph.main
    for op in main.operators:
        weights = main.tensors[op.inputs[1]] if len(op.inputs) > 1 else None
        quantization = weights.quantization if weights is not None else None
        if op.name == UNSAFE_OPERATOR and quantization is not None and quantization.is_per_channel:
            return True
    return False


def _offline_planned() -> list[dict[str, str]]:
    if not TRUTH.is_dir():
        return []
    with (TRUTH / "planned_m4.csv").open() as file:
        return list(csv.DictReader(file))


@needs_shared
@pytest.mark.parametrize("row", _offline_planned(), ids=lambda row: row["model"])
def test_overlapping_offline_plans_are_exact(row: dict[str, str]) -> None:
    report = _predict(MODELS / row["planned_model"], "cmsis_nn")
    assert report.used_bytes == int(row["planned_arena_used_bytes"])
    assert report.required_bytes == int(row["planned_min_arena_bytes"])


@needs_shared
@pytest.mark.parametrize(
    ("model", "paper_sram_bytes"),
    [("zoo_ad_small_int8.tflite", 114_292), ("tflm_person_detect.tflite", 82_276)],
)
def test_sram_of_the_paper_is_reproduced(model: str, paper_sram_bytes: int) -> None:
    """Table 4 of the paper was measured with TFLM of 2020, so a few bytes of structs differ."""
    used_bytes = predictor.predict(MODELS / model, board="f746zg").arena.used_bytes
    assert abs(used_bytes - paper_sram_bytes) <= 64
