"""``predict optimize``: files, tables, JSON, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from predictor import predict
from predictor.cli.main import cli
from predictor.model.example_models import EXAMPLE_MODELS
from predictor.model.metadata import OFFLINE_PLAN, PLAN_ORIGIN
from predictor.model.tflite_reader import read_graph


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "ds_cnn.tflite"
    path.write_bytes(EXAMPLE_MODELS["ds_cnn"]().build())
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["optimize", *map(str, arguments)], standalone_mode=False)


def test_the_new_file_is_what_was_said(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("ortools", reason='pip install -e ".[optimize]"')
    output = tmp_path / "smaller.tflite"
    result = run(model, "-o", output, "--format", "json")
    assert result.return_value == 0
    content = json.loads(result.output)
    assert content["optimal"] is True
    assert content["gap_bytes"] == 0
    assert content["planned_bytes"]["after"] < content["planned_bytes"]["without_overlap"]
    assert content["arena_used_bytes"]["after"] < content["arena_used_bytes"]["before"]
    after = predict(output)
    assert after.arena.used_bytes == content["arena_used_bytes"]["after"]
    assert after.arena.required_bytes == content["arena_required_bytes"]["after"]
    assert [buffer.offset for buffer in after.arena.buffers] == [
        entry["offset"] for entry in content["plan"]
    ]
    graph = read_graph(output.read_bytes())
    assert {OFFLINE_PLAN, PLAN_ORIGIN} <= set(graph.metadata)
    assert len(content["operators"]) == len(graph.main.operators)
    assert {"index", "operator", "distance_bytes", "rule"} <= set(content["operators"][0])
    assert content["extra_instructions_percent"] > 0


def test_text_names_what_changed(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("ortools", reason='pip install -e ".[optimize]"')
    plan = tmp_path / "plan.svg"
    result = run(model, "--plan", plan)
    assert "less arena" in result.output
    assert "proven to be the lowest" in result.output
    assert "dilation of 2" in result.output
    assert plan.read_text().startswith("<svg")


def test_the_second_line_says_what_it_costs_in_time(model: Path) -> None:
    result = run(model)
    content = json.loads(run(model, "--format", "json").output)["latency_s"]
    percentage = 100 * (content["after"] / content["before"] - 1)
    assert percentage > 1
    line = " ".join(result.output.splitlines()[1:3])
    assert line.startswith(f"{percentage:.1f} % more time for an inference")
    assert "--max-slowdown 0%" in line
    result = run(model, "--max-slowdown", "0%")
    assert result.output.splitlines()[1].startswith("an inference takes as long as before")


def test_no_slowdown_allowed(model: Path) -> None:
    result = run(model, "--max-slowdown", "0%", "--format", "json")
    content = json.loads(result.output)
    assert content["extra_instructions_percent"] == 0
    assert content["steered_operators"] == content["prepared_filters"] == []


def test_levels_never_get_worse(model: Path) -> None:
    found = [
        json.loads(run(model, "--overlap", level, "--format", "json").output)
        for level in ("none", "inplace", "diagonal")
    ]
    heights = [content["nonpersistent_bytes"]["after"] for content in found]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] <= found[0]["nonpersistent_bytes"]["before"]


def test_device_model_puts_tables_into_flash(model: Path, tmp_path: Path) -> None:
    output = tmp_path / "ours.tflite"
    result = run(model, "--kernels", "mn", "-o", output, "--format", "json")
    content = json.loads(result.output)
    assert content["arena_used_bytes"]["after"] < content["arena_used_bytes"]["before"] / 1.5
    assert predict(output, kernels="mn").arena.used_bytes == content["arena_used_bytes"]["after"]


def test_predict_warns_of_other_kernels(model: Path, tmp_path: Path) -> None:
    output = tmp_path / "smaller.tflite"
    run(model, "-o", output)
    assert not any("memory plan" in note for note in predict(output).notes)
    assert "made for cmsis_nn" in predict(output, kernels="reference").notes[0]
    run(model, "-o", output, "--kernels", "reference")
    notes = predict(output, kernels="cmsis_nn").notes
    assert "WRONG" in notes[0]
    assert "made for reference" in notes[1]
    hint = [note for note in predict(model).notes if "predict optimize" in note]
    assert len(hint) == 1


@pytest.mark.parametrize("bad", ["-1%", "x", "nan"])
def test_bad_percentages_are_usage_errors(model: Path, bad: str) -> None:
    result = run(model, "--max-slowdown", bad)
    assert "is no percentage" in str(result.exception)
