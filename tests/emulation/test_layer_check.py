"""``predict emulate --layers``: equal layers, and the first that is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from predictor.cli.main import run
from predictor.firmware.build import build
from predictor.firmware.target import firmware_target
from predictor.model.example_models import ds_cnn
from predictor.model.random_graphs import random_graph
from predictor.proof import layer_check
from predictor.proof.host_runtime import HostResult, HostRuntime, is_installed
from predictor.proof.layer_check import LayerCheck, check_layers
from predictor.proof.model_run import RunOptions, random_inputs

pytestmark = [
    pytest.mark.usefixtures("emulation_tools"),
    pytest.mark.skipif(not is_installed("tflite_micro"), reason="pip install tflite-micro"),
]
BOARD = "f746zg"


def check(content: bytes) -> LayerCheck:
    firmware = firmware_target(BOARD).linking_all(content)
    arena, image = firmware.prediction.arena, build(firmware.target)
    inputs = random_inputs(arena.prepared.graph, seed=0)
    board = firmware.prediction.board
    return check_layers(content, arena, image, board, inputs, RunOptions())


def test_all_layers_of_random_models_are_equal() -> None:
    checked = 0
    for seed in range(8):
        content = random_graph(seed, max_operators=12, mid_2020=True).build()
        prediction = firmware_target(BOARD).predict(content, "all")
        if any("results can be wrong" in note for note in prediction.arena.prepared.notes):
            continue
        assert check(content) == LayerCheck(len(prediction.graph.main.operators))
        checked += 1
    assert checked >= 3


def test_the_first_layer_that_differs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's third layer is made to differ, and what follows with it."""

    class Wrong(HostRuntime):
        def run(self, *arguments: object, **options: object) -> HostResult:
            answer = super().run(*arguments, **options)  # type: ignore[arg-type]
            wrong = [array.copy() for array in answer.outputs]
            for array in wrong[2:]:
                array.flat[5 % array.size] ^= 1
            return HostResult(answer.error, answer.log, tuple(wrong))

    monkeypatch.setattr(layer_check, "HostRuntime", Wrong)
    found = check(ds_cnn(channels=8, blocks=1).build())
    assert found.compared == 2
    assert found.words.startswith("operator 2 (CONV_2D), ")
    assert found.words.endswith("bytes differ, the first at 5")


def test_a_kernel_that_computes_something_else_is_named() -> None:
    """TFLM of 2020 does not rescale in RELU."""
    found = check(random_graph(1, max_operators=12, mid_2020=True).build())
    assert found.compared == 0
    assert found.words.startswith("operator 0 (RELU), relu_0: ")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "kws.tflite"
    model.write_bytes(ds_cnn(channels=8, blocks=1).build())
    assert run(["emulate", str(model), "--layers", "--format", "json"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    assert layers == {"equal": 7, "first_difference": None, "reason": None}
