"""What a command writes is never what it reads, nor twice the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from predictor.boards import board as boards
from predictor.cli.main import run
from predictor.model.example_models import autoencoder

BOARD = (Path(boards.__file__).parent / "f446re.toml").read_text()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.tflite").write_bytes(autoencoder().build())
    (tmp_path / "mine.toml").write_text(BOARD.replace('"f446re"', '"mine"', 1))
    (tmp_path / "mine.model").write_bytes(autoencoder().build())
    (tmp_path / "link").symlink_to("model.tflite")
    os.link(tmp_path / "model.tflite", tmp_path / "hard")
    budgets = '[tool.predictor.budgets."*.tflite"]\nboard = "mine.toml"\n'
    (tmp_path / "predictor.toml").write_text(budgets)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "model.tflite --output model.tflite",
        "--output model.tflite model.tflite",
        "model.tflite --output ../{name}/model.tflite",
        "model.tflite --output link",
        "model.tflite --output hard",
        "link --output model.tflite",
        "model.tflite --board mine.toml --output mine.toml",
        "optimize model.tflite -o model.tflite",
        "optimize model.tflite -o new.tflite --plan model.tflite",
        "optimize model.tflite -o new.tflite --plan new.tflite",
        "report model.tflite -o model.tflite",
        "report mine.model model.tflite -o model.tflite",
        "compare mine.model model.tflite -o model.tflite",
        "emulate model.tflite --junit model.tflite",
        "emulate model.tflite --trace new --profile new",
        "firmware mine.model --board mine.toml --out .",
        "check --junit model.tflite",
        "check --sarif mine.toml",
        "check --junit predictor.toml",
        "check --junit new --sarif new",
        "calibrate mine.model --board mine.toml --output mine.model",
        "measure model.tflite --output model.tflite",
    ],
)
def test_inputs_are_not_written_over(
    command: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert run(command.format(name=folder.name).split()) == 2
    error = capsys.readouterr().err
    assert "a file that is read; write to another one" in error or "both write to new" in error
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "command", ["model.tflite --output model.txt", "model.tflite --output /dev/null"]
)
def test_other_files_are_written(command: str, folder: Path) -> None:
    assert run(command.split()) == 0
