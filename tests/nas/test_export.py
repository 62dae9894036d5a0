"""Exported files: they compute what training computed, on this machine and in firmware."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.nas.supernets import RECIPE


@pytest.mark.parametrize(
    ("backbone", "weights", "activations"),
    [("mobilenet_v2", 8, 8), ("ds_cnn", 4, 8), ("ds_cnn", 4, 4), ("mobilenet_v2", 8, 4)],
)
def test_exported_files_compute_what_training_computed(
    backbone: str, weights: int, activations: int, data: Any
) -> None:
    from nas.export.export import export
    from nas.export.verify import answers_of
    from nas.space.network import network_graph
    from nas.training.trainer import logits_of
    from predictor import Options, predict, predict_graph, read_graph

    model = _settled_model(backbone, weights, activations, data)
    content = export(model)
    tensors = {tensor.name: tensor.type.name for tensor in read_graph(content).main.tensors}
    filters = {name: kind for name, kind in tensors.items() if name.endswith("/filter")}
    assert filters == dict.fromkeys(filters, f"INT{weights}")
    assert tensors["stem"] == f"INT{activations}"
    options = Options(kernels="mn" if activations == 4 else None)
    expected = predict_graph(network_graph(model.supernet), options=options)
    found = predict(content, kernels=options.kernels)
    assert found.arena.required_bytes == expected.arena.required_bytes
    assert found.ops == expected.ops
    trained, exported = logits_of(model, data.test_x), answers_of(content, data.test_x)
    same = np.mean(np.argmax(trained, 1) == np.argmax(exported, 1))
    assert same > 0.9  # near ties of an untrained network may fall the other way


def _settled_model(backbone: str, weights: int, activations: int, data: Any) -> Any:
    """An untrained network whose ranges and averages fit the data."""
    import tensorflow as tf

    from nas.space.backbones import build_supernet
    from nas.training.model import SupernetModel

    table: dict[str, Any] = {"name": backbone, "weight_bits": [weights]}
    table["activation_bits"] = [activations]
    if backbone == "mobilenet_v2":
        table |= {"stages": 2, "width": 0.35, "head_channels": 32, "width_fractions": [1.0]}
    else:
        table |= {"channels": 24, "blocks": 3, "width_step": 24, "strided_blocks": [2]}
    supernet = build_supernet(table, (8, 8, 1), 10)
    decisions = supernet.widest() | ({"block2_skip": 1} if backbone == "ds_cnn" else {})
    model = SupernetModel(supernet.fixed(decisions), seed=1)
    x = tf.constant(data.train_x[:256])
    model.calibrate(x)
    for _ in range(15):
        model(x, training=True)
    return model


@pytest.mark.parametrize("memory", ["optimized", "streamed"])
def test_files_with_a_plan_take_what_the_search_said(memory: str, data: Any) -> None:
    from nas.cost.constraints import Budget
    from nas.cost.cost_model import predicted
    from nas.export.export import export
    from nas.export.verify import answers_of
    from nas.run.pipeline import file_writer
    from predictor import Options, find_board, predict

    model = _settled_model("mobilenet_v2", 8, 8, data)
    options = Options(kernels="mn")
    content = export(model, file_writer(Budget(find_board("f446re"), options), memory))
    searched = predicted(model.supernet, "f446re", options, memory)
    found = predict(content, "f446re", kernels="mn")
    assert found.arena.required_bytes == searched.arena.required_bytes
    assert "OfflineMemoryAllocation" in found.graph.metadata
    assert len(content) == pytest.approx(searched.flash.model_bytes, rel=0.02)
    plain = predicted(model.supernet, "f446re", options)
    assert searched.arena.used_bytes < plain.arena.used_bytes
    x = data.test_x[:8]
    np.testing.assert_array_equal(answers_of(content, x), answers_of(export(model), x))


def test_integer_runtime_computes_what_litert_computes(data: Any) -> None:
    from nas.export.integer_runtime import run_graph
    from nas.export.trained_parameters import TrainedParameters
    from nas.export.verify import answers_of
    from nas.space.network import network_graph
    from predictor.model.tflite_writer import write_model

    graph = network_graph(
        (model := _settled_model("ds_cnn", 8, 8, data)).supernet, TrainedParameters(model)
    )
    scale = graph.main.tensors[0].quantization.scale
    x = data.test_x[:64]
    own = run_graph(graph, np.round(x / scale).astype(np.int64))
    # Both are from the same file; softmax keeps the order.
    theirs = answers_of(write_model(graph), x)
    assert np.mean(np.argmax(own, 1) == np.argmax(theirs, 1)) > 0.95


@pytest.mark.usefixtures("emulation_tools")
@pytest.mark.toolchain
@pytest.mark.parametrize(("weights", "activations"), [(8, 8), (4, 8), (4, 4)])
def test_the_emulated_firmware_computes_and_takes_what_is_predicted(
    weights: int, activations: int, data: Any
) -> None:
    from nas.cost.constraints import Budget
    from nas.export.export import export
    from nas.export.verify import emulate
    from predictor import Options, find_board

    content = export(_settled_model("ds_cnn", weights, activations, data))
    options = Options(kernels="mn" if activations == 4 else None)
    table = emulate(content, Budget(find_board("f446re"), options))
    found = table["emulated"]
    assert found is not None, table["not_emulated"]
    assert found["passed"], found["failure"]
    assert found["outputs"].startswith("equal")
    assert found["kernels"] == ("reference" if weights == 8 else "mn")
    assert found["arena_bytes"] == found["predicted_arena_bytes"]
    assert found["instructions"] > 10_000


@pytest.mark.slow
@pytest.mark.usefixtures("emulation_tools")
@pytest.mark.toolchain
@pytest.mark.parametrize(("weights", "activations"), [(4, 8), (4, 4)])
def test_trained_four_bit_networks_run_in_firmware(
    weights: int, activations: int, tmp_path: Path
) -> None:
    """From search to emulated firmware, by the command line."""
    from nas.cli.main import run

    recipe, folder = tmp_path / "recipe.toml", tmp_path / "run"
    text = RECIPE.format(bits=f"[{weights}]")
    recipe.write_text(
        text.replace("[training]", f"activation_bits = [{activations}]\n\n[training]")
    )
    command = ["search", "--task", "digits", "--recipe", str(recipe), "--preset", "smoke"]
    command += ["--max-ops", "60k", "--out", str(folder)]
    assert run([*command, *(["--kernels", "mn"] if activations == 4 else [])]) == 0
    assert (
        run(["verify", str(folder), "--output", str(tmp_path / "table"), "--format", "json"]) == 0
    )
    table = json.loads((tmp_path / "table").read_text())
    assert table["emulated"]["passed"]
    assert table["emulated"]["kernels"] == "mn"
    assert table["emulated"]["outputs"].startswith("equal")
    assert table["accuracy"]["exported"] == pytest.approx(
        table["accuracy"]["fake_quantized"], abs=0.015
    )
