"""A whole run on the smallest task: search, resume, export, verify, command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RECIPE = """
[backbone]
name = "ds_cnn"
channels = 16
blocks = 2
stem_stride = [1, 1]
strided_blocks = [1]
width_step = 4
weight_bits = {bits}

[training]
batch = 128
warmup_epochs = 1
search_epochs = 2
finetune_epochs = 6
architecture_learning_rate = 0.2

[presets.smoke]
"""
MAX_OPS = 30_000


class InterruptedRunError(Exception):
    """Stands for a user's Ctrl-C after an epoch."""


def _request(tmp_path: Path, bits: str = "[8]", **limits: Any) -> Any:
    from nas.constraints import Budget
    from nas.pipeline import make_request
    from predictor import find_board

    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(bits=bits))
    budget = Budget(find_board("f446re"), **(limits or {"max_ops": MAX_OPS}))
    return make_request("digits", "smoke", budget, seed=3, recipe_path=path)


@pytest.fixture(scope="module")
def data() -> Any:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from nas.tasks import find_task

    return find_task("digits").load(None, 0, {})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Any) -> tuple[Path, dict[str, Any]]:
    from nas.pipeline import search
    from nas.search import make_deterministic

    make_deterministic(2)
    folder = tmp_path_factory.mktemp("run")
    request = _request(tmp_path_factory.mktemp("recipe"), bits="[8, 4]")
    return folder / "run", search(request, data, folder / "run")


def test_a_run_ends_with_a_file_that_fits(finished: tuple[Path, dict[str, Any]]) -> None:
    _, table = finished
    assert table["fits"]
    assert table["predicted"]["ops"] <= MAX_OPS
    for quantity in ("ops", "arena_bytes"):
        assert table["predicted"][quantity] == table["searched"][quantity]
    assert table["predicted"]["model_bytes"] == pytest.approx(
        table["searched"]["model_bytes"], rel=0.02
    )
    quality = table["accuracy"]
    assert quality["fake_quantized"] > 0.5
    assert quality["exported"] == pytest.approx(quality["fake_quantized"], abs=0.015)


def test_the_run_folder_tells_what_happened(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = finished
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["phase"] for row in rows] == ["warmup", *["search"] * 2, *["finetune"] * 6]
    assert rows[1]["limits"]["ops"] == MAX_OPS
    config = json.loads((folder / "config.json").read_text())
    assert config["config"]["seed"] == 3
    assert "numpy" in config["versions"]


def test_an_interrupted_run_goes_on_bit_identically(
    tmp_path: Path, data: Any, finished: tuple[Path, dict[str, Any]]
) -> None:
    from nas.search import Search

    request = _request(tmp_path, bits="[8, 4]")
    for stop in (("search", 1), ("finetune", 2), None):

        def progress(phase: str, done: int, total: int, row: Any, stop: Any = stop) -> None:
            if (phase, done) == stop:
                raise InterruptedRunError

        search = Search(request, data, tmp_path / "run", progress)
        if stop is None:
            search.result()
        else:
            with pytest.raises(InterruptedRunError):
                search.result()
    uninterrupted = (finished[0] / "metrics.jsonl").read_bytes()
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == uninterrupted
    mine = json.loads((tmp_path / "run" / "result.json").read_text())
    assert mine == json.loads((finished[0] / "result.json").read_text())


def test_another_run_in_the_folder_is_an_error(
    tmp_path: Path, data: Any, finished: tuple[Path, dict[str, Any]]
) -> None:
    from nas.search import Search
    from predictor.errors import UsageError

    with pytest.raises(UsageError, match="another run"):
        Search(_request(tmp_path, max_ops=1234), data, finished[0])


def test_export_repeats_the_file(finished: tuple[Path, dict[str, Any]]) -> None:
    from nas.pipeline import export_run

    folder, _ = finished
    before = (folder / "model.tflite").read_bytes()
    assert export_run(folder).read_bytes() == before


def test_the_command_line_verifies_and_reports_errors(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from nas.search_cli import run

    folder, table = finished
    assert run(["verify", str(folder), "--no-emulation", "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["predicted"] == table["predicted"]
    assert printed["accuracy"] == table["accuracy"]
    assert run(["verify", str(tmp_path)]) == 2
    assert "no finished run" in capsys.readouterr().err
    assert run(["export", str(tmp_path)]) == 2
    capsys.readouterr()
    assert run(["search", "--task", "nothing", "--out", str(tmp_path)]) == 2
    assert "unknown task" in capsys.readouterr().err
    arguments = ["search", "--task", "digits", "--out", str(tmp_path / "x")]
    assert run([*arguments, "--board", "f4"]) == 2
    assert run([*arguments, "--max-latency", "soon"]) == 2
    assert run([*arguments, "--preset", "huge"]) == 2
    assert not (tmp_path / "x").exists()
    assert run(["tasks"]) == 0
    assert "digits" in capsys.readouterr().out


def test_a_budget_that_nothing_fits_is_said_with_the_closest(tmp_path: Path, data: Any) -> None:
    from nas.cli.tables import closest_text
    from nas.pipeline import search

    table = search(_request(tmp_path, max_ops=100), data, tmp_path / "run")
    assert not table["fits"]
    assert table["closest"]["cost"]["ops"] > 100
    assert "ops" in closest_text(table["closest"])
    assert not (tmp_path / "run" / "model.tflite").exists()


@pytest.mark.parametrize(
    ("backbone", "weights", "activations"),
    [("mobilenet_v2", 8, 8), ("ds_cnn", 4, 8), ("ds_cnn", 4, 4), ("mobilenet_v2", 8, 4)],
)
def test_exported_files_compute_what_training_computed(
    backbone: str, weights: int, activations: int, data: Any
) -> None:
    from nas.export import export
    from nas.network import network_graph
    from nas.trainer import logits_of
    from nas.verify import answers_of
    from predictor import Options, predict, predict_graph, read_graph

    model = _settled_model(backbone, weights, activations, data)
    content = export(model)
    tensors = {tensor.name: tensor.type.name for tensor in read_graph(content).main.tensors}
    filters = {name: kind for name, kind in tensors.items() if name.endswith("/filter")}
    assert filters == dict.fromkeys(filters, f"INT{weights}")
    assert tensors["stem"] == f"INT{activations}"
    options = Options(kernels="ours" if activations == 4 else None)
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

    from nas.backbones import build_supernet
    from nas.model import SupernetModel

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


def test_files_with_a_plan_take_what_the_search_said(data: Any) -> None:
    from nas.cost import predicted
    from nas.export import export
    from predictor import Options, predict

    model = _settled_model("mobilenet_v2", 8, 8, data)
    options = Options(kernels="ours")
    content = export(model, plan_for=options)
    searched = predicted(model.supernet, "f446re", options, optimized=True)
    found = predict(content, "f446re", kernels="ours")
    assert found.arena.required_bytes == searched.arena.required_bytes
    assert "OfflineMemoryAllocation" in found.graph.metadata
    assert len(content) == pytest.approx(searched.flash.model_bytes, rel=0.02)
    plain = predicted(model.supernet, "f446re", options)
    assert searched.arena.used_bytes < plain.arena.used_bytes


def test_integer_runtime_computes_what_litert_computes(data: Any) -> None:
    from nas.integer_runtime import run_graph
    from nas.network import network_graph
    from nas.trained_parameters import TrainedParameters
    from nas.verify import answers_of
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


@pytest.mark.toolchain
@pytest.mark.parametrize(("weights", "activations"), [(8, 8), (4, 8), (4, 4)])
def test_the_emulated_firmware_computes_and_takes_what_is_predicted(
    weights: int, activations: int, data: Any
) -> None:
    from nas.constraints import Budget
    from nas.export import export
    from nas.verify import emulate
    from predictor import Options, find_board
    from predictor.emulation.toolchain import find_toolchain
    from predictor.errors import MissingDependencyError

    try:
        find_toolchain()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    content = export(_settled_model("ds_cnn", weights, activations, data))
    options = Options(kernels="ours" if activations == 4 else None)
    table = emulate(content, Budget(find_board("f446re"), options))
    found = table["emulated"]
    assert found is not None, table["not_emulated"]
    assert found["passed"], found["failure"]
    assert found["outputs"].startswith("equal")
    assert found["kernels"] == ("reference" if weights == 8 else "ours")
    assert found["arena_bytes"] == found["predicted_arena_bytes"]
    assert found["instructions"] > 10_000


@pytest.mark.slow
@pytest.mark.toolchain
@pytest.mark.parametrize(("weights", "activations"), [(4, 8), (4, 4)])
def test_trained_four_bit_networks_run_in_firmware(
    weights: int, activations: int, tmp_path: Path
) -> None:
    """From search to emulated firmware, by the command line."""
    from nas.search_cli import run

    recipe, folder = tmp_path / "recipe.toml", tmp_path / "run"
    text = RECIPE.format(bits=f"[{weights}]")
    recipe.write_text(
        text.replace("[training]", f"activation_bits = [{activations}]\n\n[training]")
    )
    command = ["search", "--task", "digits", "--recipe", str(recipe), "--preset", "smoke"]
    command += ["--max-ops", "60k", "--out", str(folder)]
    assert run([*command, *(["--kernels", "ours"] if activations == 4 else [])]) == 0
    assert (
        run(["verify", str(folder), "--output", str(tmp_path / "table"), "--format", "json"]) == 0
    )
    table = json.loads((tmp_path / "table").read_text())
    assert table["emulated"]["passed"]
    assert table["emulated"]["kernels"] == "ours"
    assert table["emulated"]["outputs"].startswith("equal")
    assert table["accuracy"]["exported"] == pytest.approx(
        table["accuracy"]["fake_quantized"], abs=0.015
    )


def test_the_report_draws_runs_and_sweeps(
    finished: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from nas.search_cli import run

    folder, _ = finished
    for path in (folder, folder.parent):
        assert run(["report", str(path)]) == 0
        assert "data:image/png" in (path / "report.html").read_text()
    page = (folder / "report.html").read_text()
    assert all(f'alt="{title}"' in page for title in ("Loss", "Constraints", "Choices"))
    assert "arena, bytes" in page
    assert (folder / "constraints.png").read_bytes().startswith(b"\x89PNG")
    assert run(["report", str(tmp_path)]) == 2
    assert "no run" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    import signal
    import subprocess
    import sys
    import time

    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(bits="[8]").replace("search_epochs = 2", "search_epochs = 8"))
    run = tmp_path / "run"
    command = [sys.executable, "-m", "nas.search_cli", "search", "--task", "digits"]
    command += ["--recipe", str(recipe), "--preset", "smoke", "--max-ops", "30k"]
    command += ["--out", str(run), "--threads", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    metrics = run / "metrics.jsonl"
    while process.poll() is None and not (metrics.is_file() and metrics.read_text()):
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=120)
    assert process.returncode == 130, printed
    assert printed.splitlines()[-1] == "interrupted"
    assert not (run / "result.json").exists()
    before = metrics.read_text()
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert metrics.read_text().startswith(before.splitlines()[0])
    assert len(metrics.read_text().splitlines()) == 1 + 8 + 6
    assert (run / "model.tflite").is_file()


@pytest.mark.slow
def test_mirrored_replicas_share_batches(tmp_path: Path) -> None:
    """In a process of its own: devices are set before TensorFlow starts."""
    import subprocess
    import sys

    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(bits="[8]"))
    code = (
        "import sys, tensorflow as tf\n"
        "cpu = tf.config.list_physical_devices('CPU')[0]\n"
        "two = [tf.config.LogicalDeviceConfiguration()] * 2\n"
        "tf.config.set_logical_device_configuration(cpu, two)\n"
        "from nas.search_cli import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, "search", "--task", "digits", "--recipe", str(recipe)]
    command += ["--preset", "smoke", "--max-ops", "30k", "--strategy", "mirrored"]
    command += ["--out", str(tmp_path / "run")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "fits f446re: yes" in done.stdout


@pytest.mark.slow
def test_sweeps_run_on_ray(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    import subprocess
    import sys

    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE.format(bits="[8]"))
    command = [sys.executable, "-m", "nas.search_cli", "sweep", "--ray", "local"]
    command += ["--out", str(tmp_path / "sweep"), "--task", "digits", "--recipe", str(recipe)]
    command += ["--preset", "smoke", "--max-ops", "30k", "--threads", "1"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "seed0: done" in done.stdout


def test_sweeps_make_one_job_for_each_value_and_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from nas.search_cli import run
    from nas.sweep import jobs

    found = jobs(["--task", "digits"], "--max-ops", ("1k", "2k"), 2, tmp_path)
    assert [name for name, _ in found] == [
        "max-ops_1k_seed0",
        "max-ops_1k_seed1",
        "max-ops_2k_seed0",
        "max-ops_2k_seed1",
    ]
    assert found[1][1][:6] == ["--task", "digits", "--max-ops", "1k", "--seed", "1"]
    assert run(["sweep", "--out", str(tmp_path)]) == 2
    assert "--task" in capsys.readouterr().err
    assert run(["sweep", "--out", str(tmp_path), "--vary", "--max-ops"]) == 2
