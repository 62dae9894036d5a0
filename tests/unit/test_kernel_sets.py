"""The name that the project's kernels had before still stands on command lines and in files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from predictor import predict
from predictor.boards import board as boards
from predictor.boards.calibration import Calibration, CoreCosts, read_calibration
from predictor.cli.budget_file import read_budgets
from predictor.cost.calibration_writer import updated
from predictor.errors import UsageError
from predictor.firmware.target import firmware_target
from predictor.intervals import Spread
from predictor.measure.measurements import read as read_measurements
from predictor.model.metadata import PLAN_ORIGIN, PlanOrigin, plan_origin_bytes, read_plan_origin
from predictor.model.tflite_writer import write_model
from predictor.report.emulated import with_emulated_counts
from predictor.toml import parse
from tests.networks import network

BEFORE, NOW = "ours", "mn"
MODEL = write_model(network())


@pytest.mark.parametrize("tflm", ["2026.08", "2020.07"])
def test_predictions_take_either_name(tflm: str) -> None:
    found, wanted = (predict(MODEL, tflm=tflm, kernels=name) for name in (BEFORE, NOW))
    assert found.revision is wanted.revision
    assert found.revision.kernels == NOW
    assert found.arena.required_bytes == wanted.arena.required_bytes


def test_firmware_takes_either_name() -> None:
    targets = [firmware_target("f446re", kernels=name) for name in (BEFORE, NOW)]
    assert targets[0] == targets[1]
    with pytest.raises(UsageError, match="known: cmsis_nn, esp_nn, mn, mn_on_cmsis_nn, reference"):
        firmware_target("f446re", kernels="their")


def test_budget_files_hold_either_name(tmp_path: Path) -> None:
    for name in (BEFORE, NOW):
        config = tmp_path / f"{name}.toml"
        table = '[tool.predictor.budgets."a.tflite"]\nmax_arena = "1MB"\nkernels = '
        config.write_text(f'{table}"{name}"\n')
        ((_, settings),) = read_budgets(config)
        assert predict(MODEL, **settings.options).revision.kernels == NOW


def _calibration(kernels: str) -> Calibration:
    spread = Spread(0.1, 4.0)
    return Calibration("TFLM", "2026.08", kernels, 84_000_000, CoreCosts(1.5, 0.0, 0.0), spread)


def test_calibrations_hold_either_name() -> None:
    """A new one takes the place of one under the name of before."""
    board = (Path(boards.__file__).parent / "f446re.toml").read_text()
    before = updated(board, _calibration(BEFORE), {})
    assert f'kernels = "{BEFORE}"' in before
    after = updated(before, _calibration(NOW), {})
    assert f'kernels = "{BEFORE}"' not in after
    values = {
        "runtime": "TFLM",
        "revision": "2026.08",
        "kernels": BEFORE,
        "clock_hz": 84_000_000,
        "cycles_per_instruction": 1.5,
        "relative_sd": 0.1,
        "degrees_of_freedom": 4,
        "measurements": [],
    }
    assert parse(values, "a board", read_calibration).kernels == NOW


def test_measurements_hold_either_name(tmp_path: Path) -> None:
    table = tmp_path / "measured.csv"
    table.write_text(
        "model,board,clock_hz,runtime,revision,kernels,latency_s,source\n"
        f"a.tflite,f446re,84000000,TFLM,2026.08,{BEFORE},0.1,bench\n"
    )
    (row,) = read_measurements(table)
    assert row.conditions["kernels"] == NOW


def test_memory_plans_hold_either_name() -> None:
    for name in (BEFORE, NOW):
        origin = PlanOrigin(name, "2026.08", "90b983c2", "", {})
        read = read_plan_origin({PLAN_ORIGIN: memoryview(plan_origin_bytes(origin))})
        assert read is not None
        assert read.kernels == NOW


def test_traces_hold_either_name(tmp_path: Path) -> None:
    prediction = predict(MODEL, "f446re", kernels=NOW)
    events = [
        {"ph": "X", "name": f"{layer.index} {layer.operator}", "args": {"instructions": 1000}}
        for layer in prediction.layers
    ]
    about = {"board": "f446re", "tflm": prediction.revision.name, "kernels": BEFORE}
    trace = tmp_path / "trace.json"
    trace.write_text(json.dumps({"traceEvents": events, "otherData": about}))
    found = with_emulated_counts(prediction, trace)
    assert [work.instructions for work in found.works] == [1000.0] * len(prediction.layers)
