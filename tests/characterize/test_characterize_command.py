"""`predict characterize`: files, figures and words."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from predictor.cli.main import run

SVG = "{http://www.w3.org/2000/svg}"


def test_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "layers"
    assert run(["characterize", "--n", "20", "--out", str(out), "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    for kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        assert f"\n{kind}" in said
    assert sorted(path.name for path in out.iterdir()) == [
        "figure3_f767zi.svg", "samples_layers.csv", "summary.json",
    ]  # fmt: skip
    picture = ElementTree.parse(out / "figure3_f767zi.svg")
    marks = [
        circle
        for group in picture.findall(f".//{SVG}g")
        if group.get("fill-opacity")
        for circle in group
    ]
    assert len(marks) == 20
    assert picture.findtext(f".//{SVG}title") == "Figure 3: latency of single layers on f767zi"


def test_backbones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["characterize", "--backbone", "kws", "--backbone", "image", "--n", "4"]
    arguments += ["--board", "f746zg", "--board", "f767zi", "--out", str(tmp_path), "--jobs", "1"]
    assert run([*arguments, "--format", "json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary == json.loads((tmp_path / "summary.json").read_text())
    assert {(line["group"], line["board"]) for line in summary["lines"]} == {
        (group, board) for group in ("kws", "image") for board in ("f746zg", "f767zi")
    }
    assert summary["paper"]["kws_over_image"] == 1.4
    assert set(summary["kws_over_image"]) == {"f746zg", "f767zi"}
    assert {level["board"] for level in summary["power"]} >= {"f746zg"}
    names = {path.name for path in tmp_path.glob("*.svg")}
    assert names == {
        "figure4_f746zg.svg", "figure4_f767zi.svg", "figure5_energy.svg", "figure5_power.svg",
    }  # fmt: skip
    assert run(arguments) == 0
    said = capsys.readouterr().out
    assert "throughput of kws over image on f746zg" in said
    assert "(paper: 1.40)" in said
    assert "(paper: 0.95 to 0.99)" in said
    assert "by the board's file, no finding" in said


def test_one_backbone_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["characterize", "--n", "3", "--out", str(tmp_path), "--jobs", "1"]
    arguments += ["--board", "f746zg"]
    assert run([*arguments, "--backbone", "kws"]) == 0
    assert "throughput of kws over image" not in capsys.readouterr().out
    assert run([*arguments, "--backbone", "image"]) == 0
    assert "throughput of kws over image on f746zg" in capsys.readouterr().out


def test_an_unknown_board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["characterize", "--board", "f999", "--out", str(tmp_path / "x")]) == 2
    assert "unknown board 'f999'" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("source", ["model", "emulation"])
def test_a_folder_without_tflm(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["characterize", "--source", source, "--tflm-dir", str(tmp_path)]
    assert run([*arguments, "--out", str(tmp_path / "x")]) == 2
    assert "name TFLM's source tree" in capsys.readouterr().err


@pytest.mark.toolchain
def test_emulation_counts_what_runs(tmp_path: Path) -> None:
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
    arguments = ["characterize", "--n", "2", "--source", "emulation", "--jobs", "1"]
    assert run([*arguments, "--board", "f446re", "--out", str(tmp_path)]) == 0
    mark, *table = (tmp_path / "samples_layers.csv").read_text().splitlines()
    assert '"revision": "2020.07"' in mark
    rows = list(csv.DictReader(table))
    assert len(rows) == 2
    assert all(row["evidence"].endswith("; instructions emulated") for row in rows)
