"""Files that real use brought, each with what a person must be told of it.

Their kinds have tests of their own with models from the builder; here are the files themselves.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from predictor.cli.main import run
from predictor.errors import RefusedError
from predictor.prediction import Prediction, predict
from tests.shared_data import SHARED

CASES = SHARED / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases")
MEMCPY_INSTRUCTIONS_PER_BYTE = 3793 / 7104
"""Counted of newlib's memcpy on an emulated Cortex-M7."""


def _predict(case: str, **options: Any) -> Prediction:
    return predict(CASES / case, **options)


def _refusal(case: str) -> str:
    with pytest.raises(RefusedError) as caught:
        _predict(case)
    return str(caught.value)


def test_every_case_is_here() -> None:
    named = set(re.findall(r'"(\w+)(?:/|")', Path(__file__).read_text()))
    elsewhere = {"robustness"}  # test_robustness.py
    assert {path.name for path in CASES.iterdir()} <= named | elsewhere


def test_initialisation_is_no_part_of_an_inference() -> None:
    found = _predict("call_once_counted/vars_big.tflite")
    assert found.latency.once_s > 0
    runs = dict(zip([(r.subgraph_index, r.index) for r in found.layers], found.works, strict=True))
    in_init = [place for place in runs if place[0]]
    assert all(found.inference.layer_runs[list(runs).index(place)].most == 0 for place in in_init)
    (assign,) = [row for row in found.layers if row.operator == "ASSIGN_VARIABLE"][:1]
    copied = 4 * assign.other_ops
    work = runs[assign.subgraph_index, assign.index]
    assert work.instructions == pytest.approx(copied * MEMCPY_INSTRUCTIONS_PER_BYTE, rel=0.05)


@pytest.mark.parametrize("core", ["cortex-m33", "cortex-m0plus", "cortex-m55", "cortex-m3"])
def test_boards_of_other_cores(core: str, tmp_path: Path) -> None:
    board = tmp_path / "board.toml"
    text = (CASES / "core_unknown" / "b_cortex-m33.toml").read_text()
    board.write_text(text.replace('"cortex-m33"', f'"{core}"'))
    model = "vars_5_assumed_32/vars_5.tflite"
    found = _predict(model, board=board)
    usual = _predict(model, board="f446re", kernels=found.revision.kernels)
    assert found.arena.required_bytes == usual.arena.required_bytes
    assert any("FPU fpv4-sp-d16" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ethos-u", "before Vela"),
        ("edgetpu-custom-op", "before that compiler"),
        ("flex", "SELECT_TF_OPS"),
    ],
)
def test_custom_operators_of_other_tools(name: str, words: str) -> None:
    assert words in _refusal(f"custom_unexplained/{name}.tflite")


def test_a_device_model_is_predicted_with_the_kernels_it_needs() -> None:
    found = _predict("device_model_without_kernels/device.tflite")
    assert found.fits
    assert found.revision.kernel_set.runs_device_models


@pytest.mark.parametrize(
    ("case", "given"),
    [
        ("dynamic_shape_s2b/s2b_dynamic_batch.tflite", "[4, 4, 4, 1]"),
        ("dynamic_shape_dilated/dilated_placeholder.tflite", "[2, "),
    ],
)
def test_placeholders_in_shapes(case: str, given: str, capsys: pytest.CaptureFixture[str]) -> None:
    (note, *_) = _predict(case).notes
    assert "results may be WRONG" in note
    assert f"gives {given}" in note
    assert run([str(CASES / case), "--strict"]) == 1
    assert given in capsys.readouterr().err


def test_what_firmware_links_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    model = CASES / "emulate_2020_refusal" / "transpose_v2.tflite"
    assert predict(model).fits
    assert run(["emulate", str(model)]) == 1
    printed = capsys.readouterr()
    said = printed.out + printed.err
    for words in ("no such operator", "TFLM 2020.07", "--tflm-dir", "predict tflm use"):
        assert words in said


def test_one_branch_counts() -> None:
    assert _predict("if_both_branches/if_two_branches.tflite").ops.total_macs == 4096


def test_models_in_other_forms(capsys: pytest.CaptureFixture[str]) -> None:
    folder = CASES / "lfs_and_c_arrays"
    assert predict(folder / "model_data.cc").fits
    for name, words in (("lfs", "run git lfs pull"), ("page", "HTML page")):
        assert run([str(folder / f"{name}.tflite")]) == 1
        message = capsys.readouterr().err
        assert words in message
        assert message.count("\n") == 1


def test_all_missing_operators_are_named() -> None:
    assert _refusal("many_unsupported/many.tflite").count("no such operator") == 3


def test_uint8_is_explained() -> None:
    assert "quantise to int8" in _refusal("uint8_called_hybrid/uint8_conv.tflite")


@pytest.mark.parametrize(
    ("case", "count"), [("vars_33_refused/vars_33", 33), ("vars_5_assumed_32/vars_5", 5)]
)
def test_as_many_resource_variables_as_the_model_has(case: str, count: int) -> None:
    found = _predict(f"{case}.tflite")
    assert found.arena.exact
    assert any(f"MicroResourceVariables::Create(allocator, {count})" in n for n in found.notes)
    more = _predict(f"{case}.tflite", resource_variables=count + 4)
    assert more.arena.used_bytes - found.arena.used_bytes == 4 * 20


@pytest.mark.parametrize("name", ["while_1", "while_100"])
def test_rounds_that_are_not_known_break_budgets(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = CASES / "while_100_latency" / f"{name}.tflite"
    found = predict(model)
    assert found.latency.is_open
    assert any("rounds" in note for note in found.notes)
    assert run([str(model), "--max-macs", "10K"]) == 3
    assert run([str(model), "--max-latency", "1ms"]) == 3
    capsys.readouterr()
