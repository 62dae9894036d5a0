"""Models in operators that an older TFLM takes, equal to the bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from predictor.cli.main import run
from predictor.errors import RefusedError
from predictor.memory.arena import arena
from predictor.memory.revision import Revision, load_revision
from predictor.model.builder import ModelBuilder
from predictor.model.graph import Graph, Quantization, TensorType
from predictor.model.tflite_reader import read_graph
from predictor.model.tflite_writer import write_model
from predictor.optimization.rewrites import rewritten_for
from predictor.proof.host_runtime import HostRuntime
from predictor.proof.model_run import random_inputs
from truth import models

ARDUINO, TFLM_2020 = load_revision("arduino"), load_revision("2020.07")
UINT8, INT8 = TensorType.UINT8, TensorType.INT8
REFUSED = (
    ("CONV_2D/int8_unbiased", "arduino"),
    ("DEPTHWISE_CONV_2D/int8_unbiased", "arduino"),
    ("EXPAND_DIMS/int16", "arduino"),
    ("EXPAND_DIMS/int8", "2020.07"),
    ("SQUEEZE/int8", "2020.07"),
    ("SQUEEZE/float32", "2020.07"),
)


def bytes_shifted(before: TensorType, scales: tuple[float, float]) -> bytes:
    """QUANTIZE of 8 bits to int8, as converters put it where a model begins."""
    builder = ModelBuilder("shifted")
    given = _quantization(scales[0], 117 if before == UINT8 else -10)
    x = builder.input((1, 16, 16), before.name.lower(), quantization=given)
    written = _quantization(scales[1], -11)
    builder.output(builder.quantize(x, "int8", quantization=written))
    return builder.build()


def _quantization(scale: float, zero_point: int) -> Quantization:
    return Quantization((scale,), (zero_point,))


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


@pytest.mark.parametrize("before", [UINT8, INT8])
@pytest.mark.parametrize("scale", [1 / 255, 0.1, 3e-5])
def test_bytes_of_one_scale_go_by_float(
    before: TensorType, scale: float, tflite_micro: HostRuntime
) -> None:
    graph = read_graph(bytes_shifted(before, (scale, scale)))
    assert not runs(graph, TFLM_2020)
    changed, done = rewritten_for(graph, TFLM_2020)
    assert done == ("operator 0 (QUANTIZE): DEQUANTIZE and QUANTIZE in its place",)
    assert runs(read_graph(write_model(changed)), TFLM_2020)
    dtype = np.uint8 if before == UINT8 else np.int8
    every = np.arange(256).astype(dtype).reshape(1, 16, 16)
    models_run = (write_model(graph), write_model(changed))
    first, second = (tflite_micro.run(content, [every]) for content in models_run)
    assert first.error == second.error == ""
    assert first.outputs[0].tobytes() == second.outputs[0].tobytes()


@pytest.mark.parametrize("scales", [(0.1, 0.2), (1e38, 1e38)])
def test_bytes_that_float_would_not_bring_back_stay(scales: tuple[float, float]) -> None:
    graph = read_graph(bytes_shifted(UINT8, scales))
    assert rewritten_for(graph, TFLM_2020) == (graph, ())


def test_operators_behind_one_that_becomes_two_are_rewritten(tflite_micro: HostRuntime) -> None:
    builder = ModelBuilder("behind")
    x = builder.input((1, 4, 4), "uint8", quantization=_quantization(0.1, 117))
    x = builder.quantize(x, "int8", quantization=_quantization(0.1, -11))
    axis = builder.constant(np.array(3, np.int32))
    spec = ((1, 4, 4, 1), "int8", x.quantization)
    (x,) = builder.operator("EXPAND_DIMS", [x, axis], [spec], {})
    builder.output(builder.quantize(x, "int8", quantization=_quantization(0.1, -12)))
    graph = read_graph(builder.build())
    changed, done = rewritten_for(graph, TFLM_2020)
    assert [words[: words.index(":")] for words in done] == [
        "operator 0 (QUANTIZE)",
        "operator 1 (EXPAND_DIMS)",
        "operator 2 (QUANTIZE)",
    ]
    names = ["DEQUANTIZE", "QUANTIZE", "RESHAPE", "DEQUANTIZE", "QUANTIZE"]
    assert [op.name for op in changed.main.operators] == names
    assert runs(read_graph(write_model(changed)), TFLM_2020)
    inputs = random_inputs(graph, 1)
    contents = (write_model(graph), write_model(changed))
    first, second = (tflite_micro.run(content, inputs) for content in contents)
    assert first.error == second.error == ""
    assert first.outputs[0].tobytes() == second.outputs[0].tobytes()
