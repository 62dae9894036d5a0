"""Models in operators that an older TFLM takes, equal to the bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from predictor.cli.main import run
from predictor.errors import RefusedError
from predictor.memory.arena import arena
from predictor.memory.revision import Revision, load_revision
from predictor.model.graph import Graph
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.optimization.rewrites import rewritten_for
from predictor.proof.host_runtime import HostRuntime
from predictor.proof.model_run import random_inputs
from truth import models

ARDUINO = load_revision("arduino")
REFUSED = (
    ("CONV_2D/int8_unbiased", "arduino"),
    ("DEPTHWISE_CONV_2D/int8_unbiased", "arduino"),
    ("EXPAND_DIMS/int16", "arduino"),
    ("EXPAND_DIMS/int8", "2020.07"),
    ("SQUEEZE/int8", "2020.07"),
    ("SQUEEZE/float32", "2020.07"),
)


def runs(graph: Graph, revision: Revision) -> bool:
    try:
        return not arena(graph, revision).invoke_errors
    except RefusedError:
        return False


@pytest.mark.parametrize(("name", "tflm"), REFUSED)
def test_what_a_tflm_does_not_take_runs_afterwards(name: str, tflm: str) -> None:
    graph, revision = read_graph(models.build(name)), load_revision(tflm)
    assert not runs(graph, revision)
    changed, done = rewritten_for(graph, revision)
    assert len(done) == 1
    assert runs(read_graph(write_model(changed)), revision)
    assert rewritten_for(changed, revision) == (changed, ())


@pytest.mark.parametrize(("name", "tflm"), REFUSED)
def test_the_outputs_are_equal_to_the_bit(name: str, tflm: str, tflite_micro: HostRuntime) -> None:
    content = models.build(name)
    graph = read_graph(content)
    changed = write_model(rewritten_for(graph, load_revision(tflm))[0])
    for seed in range(20):
        inputs = random_inputs(graph, seed)
        before, after = (tflite_micro.run(item, inputs) for item in (content, changed))
        assert before.error == after.error == ""
        assert [item.tobytes() for item in before.outputs] == [
            item.tobytes() for item in after.outputs
        ]


@pytest.mark.parametrize("name", ["CONV_2D/int8", "BATCH_MATMUL/int8", "SQUEEZE/int8"])
def test_what_runs_or_has_no_rewrite_stays(name: str) -> None:
    graph = read_graph(models.build(name))
    assert rewritten_for(graph, ARDUINO) == (graph, ())


def test_the_command_writes_a_model_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = tmp_path / "before.tflite", tmp_path / "after.tflite"
    before.write_bytes(models.build("CONV_2D/int8_unbiased"))
    board = ("--board", "nano-33-ble")
    assert run([str(before), *board]) == 1
    assert run(["optimize", str(before), "-o", str(after), *board, "--for", "arduino"]) == 0
    assert "operator 0 (CONV_2D): a bias of zeros" in capsys.readouterr().err
    assert run([str(after), *board]) == 0
    assert run(["optimize", str(before), "--for", "arduino", "--tflm", "pico"]) == 2


def test_what_was_rewritten_is_proved_with_the_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], emulation_tools: None
) -> None:
    pytest.importorskip("tflite_micro")
    before, after = tmp_path / "before.tflite", tmp_path / "after.tflite"
    before.write_bytes(models.build("SQUEEZE/int8"))
    arguments = ["optimize", str(before), "-o", str(after), "--for", "2020.07", "--prove"]
    assert run([*arguments, "--format", "json"]) == 0
    first, *others = json.loads(capsys.readouterr().out)["proof"]["checks"]
    assert (first["name"], first["passed"]) == ("what was rewritten, on this host", True)
    assert others
    assert all(check["passed"] for check in others)
