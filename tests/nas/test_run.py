"""A whole run on the smallest task: search, resume, export, verify, command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.nas.supernets import RECIPE

MAX_OPS = 30_000


class InterruptedRunError(Exception):
    """Stands for a user's Ctrl-C after an epoch."""


def _request(tmp_path: Path, bits: str = "[8]", **limits: Any) -> Any:
    from nas.cost.constraints import Budget
    from nas.run.pipeline import make_request
    from predictor import find_board

    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(bits=bits))
    budget = Budget(find_board("f446re"), **(limits or {"max_ops": MAX_OPS}))
    return make_request("digits", "smoke", budget, seed=3, recipe_path=path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Any) -> tuple[Path, dict[str, Any]]:
    from nas.run.pipeline import search
    from nas.run.search import make_deterministic

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
    from nas.run.search import Search

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
    from nas.run.search import Search
    from predictor.errors import UsageError

    with pytest.raises(UsageError, match="another run"):
        Search(_request(tmp_path, max_ops=1234), data, finished[0])


def test_export_repeats_the_file(finished: tuple[Path, dict[str, Any]]) -> None:
    from nas.run.pipeline import export_run

    folder, _ = finished
    before = (folder / "model.tflite").read_bytes()
    assert export_run(folder).read_bytes() == before


def test_the_command_line_verifies_and_reports_errors(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from nas.cli.main import run

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
    from nas.run.pipeline import search

    table = search(_request(tmp_path, max_ops=100), data, tmp_path / "run")
    assert not table["fits"]
    assert table["closest"]["cost"]["ops"] > 100
    assert "ops" in closest_text(table["closest"])
    assert not (tmp_path / "run" / "model.tflite").exists()


def test_the_report_draws_runs_and_sweeps(
    finished: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from nas.cli.main import run

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
    command = [sys.executable, "-m", "nas.cli.main", "search", "--task", "digits"]
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
        "from nas.cli.main import run\n"
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
    command = [sys.executable, "-m", "nas.cli.main", "sweep", "--ray", "local"]
    command += ["--out", str(tmp_path / "sweep"), "--task", "digits", "--recipe", str(recipe)]
    command += ["--preset", "smoke", "--max-ops", "30k", "--threads", "1"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "seed0: done" in done.stdout


def test_sweeps_make_one_job_for_each_value_and_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from nas.cli.main import run
    from nas.run.sweep import jobs

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
