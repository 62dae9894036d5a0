"""Latency and energy on the command line: budgets, duty cycle, emulated counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from predictor.boards.board import find_board
from predictor.cli.main import run
from predictor.cost.instructions import load_costs
from predictor.memory.revision import load_revision
from predictor.model.example_models import ds_cnn

BOARD = ["--board", "f446re"]


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "ds_cnn.tflite"
    path.write_bytes(ds_cnn().build())
    return str(path)


def predicted(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run([*arguments, "--format", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_budgets_of_latency_and_energy(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    latency = predicted([model, *BOARD], capsys)["latency"]["seconds"]
    assert run([model, *BOARD, "--max-latency", f"{1.01e3 * latency:.3f}ms"]) == 0
    assert run([model, *BOARD, "--max-latency", f"{0.99e3 * latency:.3f}ms"]) == 3
    assert "max-latency" in capsys.readouterr().err
    assert run([model, *BOARD, "--max-energy", "1uJ"]) == 3
    assert run([model, *BOARD, "--max-energy", "1J"]) == 0


@pytest.mark.parametrize("text", ["fast", "-3ms", "5", "0s", "3 hours"])
def test_budgets_need_a_number_and_a_unit(model: str, text: str) -> None:
    assert run([model, "--max-latency", text]) == 2


def test_budgets_in_a_configuration(tmp_path: Path, model: str) -> None:
    config = tmp_path / "predictor.toml"
    table = '[tool.predictor.budgets."*.tflite"]\nboard = "f446re"\n'
    for limit, code in (("10s", 0), ("1ms", 3), ("soon", 2)):
        config.write_text(f'{table}max_latency = "{limit}"\n')
        assert run(["check", "--config", str(config)]) == code


def test_duty_cycle(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = predicted([model, *BOARD, "--fps", "1", "--battery", "1Wh"], capsys)
    duty, energy = found["duty_cycle"], found["energy"]
    assert duty["busy"] == pytest.approx(found["latency"]["seconds"], rel=1e-4)
    assert duty["average_w"] >= energy["joules"] * (1 - 1e-4)
    assert duty["battery_life_s"] == pytest.approx(3600 / duty["average_w"], rel=1e-4)


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf"])
def test_rates_are_positive(model: str, rate: str) -> None:
    assert run([model, "--fps", rate]) == 2


def test_intervals_hold_the_estimate_and_each_other(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = predicted([model, *BOARD], capsys)
    for figure in (found["latency"], found["energy"]):
        value = figure.get("seconds", figure.get("joules"))
        low_95, high_95 = figure["interval_95"]
        low_80, high_80 = figure["interval_80"]
        assert low_95 < low_80 < value < high_80 < high_95


def test_layers_add_up_to_the_model(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = predicted([model, *BOARD], capsys)
    layers = found["layers"]
    around = load_costs(load_revision(core=find_board("f446re").core.model))
    for name, total in (("instructions", "total"), ("loads", "loads")):
        # What the interpreter adds around its layers.
        interpreter = getattr(around["interpreter.subgraph"], name)
        interpreter += len(layers) * getattr(around["interpreter.between"], name)
        counted = found["instructions"][total] - interpreter
        assert sum(layer[name] for layer in layers) == pytest.approx(counted, abs=len(layers))
    seconds = sum(layer["latency_s"] for layer in layers)
    assert seconds == pytest.approx(found["latency"]["seconds"], rel=1e-4)


def trace_of(found: dict[str, Any], scale: float = 2.0, **about: str) -> dict[str, Any]:
    other = {"board": "f446re", "tflm": "2026.08", "kernels": "cmsis_nn", **about}
    events = [
        {
            "ph": "X",
            "name": f"{layer['index']} {layer['operator']}",
            "args": {"instructions": round(scale * layer["instructions"])},
        }
        for layer in found["layers"]
    ]
    return {"traceEvents": events, "otherData": other}


def test_emulated_counts_replace_those_of_the_model(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = predicted([model, *BOARD], capsys)
    trace = tmp_path / "trace.json"
    trace.write_text(json.dumps(trace_of(found)))
    emulated = predicted([model, *BOARD, "--emulated", str(trace)], capsys)
    assert emulated["instructions"]["basis"] == "emulated"
    assert emulated["instructions"]["total"] == sum(
        2 * layer["instructions"] for layer in found["layers"]
    )
    assert emulated["latency"]["seconds"] > 1.9 * found["latency"]["seconds"]


def test_traces_of_something_else_are_refused(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = predicted([model, *BOARD], capsys)
    trace = tmp_path / "trace.json"
    wrong = trace_of(found, kernels="reference")
    short = trace_of(found)
    short["traceEvents"].pop()
    for content in (json.dumps(wrong), json.dumps(short), "{}", "no json"):
        trace.write_text(content)
        assert run([model, *BOARD, "--emulated", str(trace)]) == 2
        assert "trace.json" in capsys.readouterr().err
