"""The TFLMs that are known, and one model under each of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from predictor import report
from predictor.cli.main import run as run_predict
from predictor.memory.revision import device_revisions
from truth import models

WIDTH = 80
SCHEMA = json.loads((Path(report.__file__).parent / "prediction.schema.json").read_text())
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``predict``; gives its exit code and what it printed."""

    def predict(*arguments: str) -> tuple[int, str]:
        code = run_predict(arguments)
        return code, capsys.readouterr().out

    return predict


@pytest.fixture
def model(tmp_path: Path) -> Callable[[str], str]:
    """Writes a model of one operator that old TFLMs have, or lack."""

    def write(kind: str) -> str:
        path = tmp_path / "one.tflite"
        path.write_bytes(models.build(f"{kind}/int8"))
        return str(path)

    return write


def test_the_list_names_each_tflm_in_80_columns(run: Run) -> None:
    code, output = run("tflm", "list")
    lines = output.splitlines()
    names = [line.split()[0] for line in lines[1:] if not line.startswith(" ")]
    assert (code, names) == (0, list(device_revisions()))
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("name", device_revisions())
def test_each_tflm_says_what_it_is(run: Run, name: str) -> None:
    text_code, text = run("tflm", name)
    code, values = run("tflm", name, "--format", "json")
    assert text_code == code == 0
    assert max(map(len, text.splitlines())) <= WIDTH
    found = json.loads(values)
    assert found["name"] == name
    assert all(found[key] for key in ("source", "commit", "title", "operators"))
    assert ("ships without" in text) == (not found["static_memory"])
    assert not set(found["lacks"]) & set(found["operators"])
    assert set(found["adds"]) <= set(found["operators"])


def test_what_the_arduino_library_lacks(run: Run) -> None:
    _, output = run("tflm", "arduino")
    assert "BATCH_MATMUL" in output[output.index("lacks") :]
    assert "nano-33-ble" in output


def test_an_unknown_tflm_is_a_usage_error(run: Run) -> None:
    assert run("tflm", "arduino-2")[0] == 2


def test_a_month_between_two_known_ones_is_said_to_be_unknown(
    run: Run, model: Callable[[str], str]
) -> None:
    code, output = run(model("SOFTMAX"), "--tflm", "2024.06")
    assert code == 0
    assert "TFLM 2024.05," in output
    assert "TFLM 2024.06 is not known: 2024.05 stands in" in " ".join(output.split())
    assert "2024.05 stands in" in " ".join(run("tflm", "2024.06")[1].split())
    assert json.loads(run("tflm", "2024.06", "--format", "json")[1])["name"] == "2024.05"


def test_a_model_under_each_tflm(run: Run, model: Callable[[str], str]) -> None:
    code, output = run(model("SOFTMAX"), "--tflm", "all")
    assert code == 0
    assert max(map(len, output.splitlines())) <= WIDTH
    assert f"it runs under {len(device_revisions())} of" in output


def test_one_that_some_tflms_lack(run: Run, model: Callable[[str], str]) -> None:
    path = model("BATCH_MATMUL")
    values = json.loads(run(path, "--tflm", "all", "--format", "json")[1])
    jsonschema.validate(values, SCHEMA)
    found = {item["name"]: item for item in values["tflms"]}
    assert [found[name]["runs"] for name in ("arduino", "pico")] == [False, True]
    assert found["arduino"]["arena_required_bytes"] is None
    assert "no such operator" in found["arduino"]["reasons"][0]
    assert found["edge-impulse"]["arena_required_bytes"] > 0
    _, table = run(path, "--tflm", "all", "--format", "markdown")
    assert table.count("\n") == 2 + len(found)


@pytest.mark.parametrize(
    "more", [("--board", "all"), ("--kernels", "reference"), ("--max-arena", "4KB")]
)
def test_what_holds_for_one_tflm(
    run: Run, model: Callable[[str], str], more: tuple[str, ...]
) -> None:
    assert run(model("SOFTMAX"), "--tflm", "all", *more)[0] == 2


def test_a_board_has_its_usual_tflm(run: Run, model: Callable[[str], str]) -> None:
    path = model("SOFTMAX")
    _, usual = run(path, "--board", "arduino-nano-33-ble")
    assert "TFLM arduino," in usual
    assert "users of this board usually have" in usual
    assert "TFLM pico," in run(path, "--board", "pico")[1]
    assert "TFLM 2026.08," in run(path, "--board", "nano-33-ble", "--tflm", "2026.08")[1]
    assert "TFLM 2026.08," in run(path, "--board", "nano-33-ble", "--kernels", "mn")[1]
