"""``predict example``."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor.cli.example import NAMES
from predictor.cli.main import run
from predictor.model.example_models import EXAMPLE_MODELS


def test_names_are_those_of_the_example_models() -> None:
    assert set(NAMES) == set(EXAMPLE_MODELS)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_a_model_that_is_predicted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["example", name]) == 0
    size = Path(f"{name}.tflite").stat().st_size
    assert capsys.readouterr().err == f"wrote {name}.tflite ({size:,} bytes)\n"
    assert run([f"{name}.tflite", "--board", "f767zi"]) == 0


def test_a_file_that_cannot_be_written_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["example", "-o", str(tmp_path / "absent" / "a.tflite")]) == 1
    assert "cannot write" in capsys.readouterr().err
