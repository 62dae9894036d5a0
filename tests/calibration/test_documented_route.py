"""The route of docs/calibration.md, step by step, and the figures that come out at its end."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path

import pytest

from predictor.cli.main import run
from predictor.prediction import predict
from tests.docs.blocks import Block, blocks_of

pytest.importorskip("scipy", reason="pip install -e '.[calibrate]'")
PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"


def _follow(blocks: list[Block], folder: Path) -> None:
    """Writes a page's files and runs the commands between them."""
    for block in blocks:
        if block.title:
            (folder / block.title).write_text(block.content)
        elif block.language == "sh":
            for line in block.content.replace("\\\n", "").splitlines():
                words = shlex.split(line)
                assert words[0] == "predict", line
                assert run(words[1:]) == 0, line


def _route() -> list[Block]:
    """From the board's file to the last prediction of "Calibrate a board"."""
    blocks = blocks_of(PAGE)
    first = next(i for i, block in enumerate(blocks) if block.title)
    last = next(i for i, block in enumerate(blocks) if "--plots" in block.content)
    return blocks[first : last + 1]


def _rows(path: Path) -> list[dict[str, str]]:
    lines = path.read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def test_predictions_at_the_end_are_those_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _follow(_route(), tmp_path)
    printed = capsys.readouterr().out
    assert "calibrated on 3 measurements of this board (TFLM 90b983c2 built" in printed
    for row in _rows(tmp_path / "measurements.csv"):
        found = predict(row["model"], "my_board.toml")
        assert found.latency.seconds == pytest.approx(float(row["latency_s"]), rel=0.05)
        assert float(row["latency_s"]) in found.latency.intervals.interval_95
        assert found.energy is not None
        assert found.energy.joules == pytest.approx(float(row["energy_j"]), rel=0.08)


def test_a_shipped_board_calibrated_anew_predicts_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The copy holds the shipped calibration, too; the new one counts, and is listed first."""
    monkeypatch.chdir(tmp_path)
    assert run(["example", "ds_cnn", "-o", "kws.tflite"]) == 0
    assert run(["example", "autoencoder", "-o", "ad.tflite"]) == 0
    lines = ["model,board,clock_hz,runtime,revision,kernels,latency_s,source"]
    measured = {}
    for model in ("kws.tflite", "ad.tflite"):
        measured[model] = 1.7 * predict(model, "f446re").latency.seconds
        lines.append(
            f"{model},f446re,180000000,my own,2026.08,cmsis_nn,{measured[model]:.6g},bench"
        )
    Path("f4.csv").write_text("\n".join(lines) + "\n")
    assert run(["calibrate", "f4.csv", "--board", "f446re", "--output", "my_f446re.toml"]) == 0
    for model, seconds in measured.items():
        found = predict(model, "my_f446re.toml")
        assert found.latency.seconds == pytest.approx(seconds, rel=1e-3)
        assert "my own" in found.latency.evidence
        shipped = predict(model, "my_f446re.toml", calibration="TFLM of 2020")
        assert shipped.latency.seconds == pytest.approx(seconds / 1.7, rel=1e-3)
    capsys.readouterr()
    assert run(["boards", "my_f446re.toml"]) == 0
    listed = capsys.readouterr().out
    assert listed.index("'my own'") < listed.index("'TFLM of 2020 under Mbed OS'")
