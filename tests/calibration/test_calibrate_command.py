"""`predict calibrate`: the result, and that an error says what is wrong and writes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from predictor.boards import board as boards
from predictor.boards.board import find_board, shipped_boards
from predictor.cli.main import run
from predictor.model.example_models import EXAMPLE_MODELS
from predictor.prediction import predict

pytest.importorskip("scipy", reason="pip install -e '.[calibrate]'")
FOLDER = Path(boards.__file__).parent
PUBLISHED = FOLDER / "published.csv"
HEADER = "model,board,clock_hz,runtime,revision,kernels,latency_s,energy_j,repeats,source\n"
CYCLES, CLOCK_HZ = 1.7, 180_000_000


def _line(model: str, **changes: object) -> str:
    values: dict[str, object] = {
        "model": model,
        "board": "my_board",
        "clock_hz": CLOCK_HZ,
        "runtime": "my TFLM",
        "revision": "2026.08",
        "kernels": "cmsis_nn",
        "latency_s": 0.1,
        "energy_j": "",
        "repeats": 10,
        "source": "bench",
    }
    return ",".join(str(value) for value in (values | changes).values()) + "\n"


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A folder with a board file, three models, and measurements that fit."""
    text = (FOLDER / "f446re.toml").read_text().replace('name = "f446re"', 'name = "my_board"')
    text = text.split("[power.convolution]")[0].replace(
        'aliases = ["nucleo-f446re"', 'aliases = ["m"'
    )
    (tmp_path / "my.toml").write_text(text)
    lines = HEADER
    for blocks in (1, 2, 4):
        path = tmp_path / f"m{blocks}.tflite"
        path.write_bytes(EXAMPLE_MODELS["ds_cnn"](blocks=blocks).build())
        seconds = CYCLES * predict(path, tmp_path / "my.toml").work.instructions / CLOCK_HZ
        lines += _line(path.name, latency_s=seconds, energy_j=0.2 * seconds)
    (tmp_path / "m.csv").write_text(lines)
    return tmp_path


def _calibrate(bench: Path, *more: str) -> int:
    return run(["calibrate", str(bench / "m.csv"), "--board", str(bench / "my.toml"), *more])


def test_predictions_use_what_is_written(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = predict(bench / "m4.tflite", bench / "my.toml")
    assert "calibrated on" not in before.latency.evidence
    assert before.energy is None or "of this board" not in before.energy.evidence
    assert _calibrate(bench) == 0
    assert f"written: {bench / 'my.toml'}" in capsys.readouterr().out
    after = predict(bench / "m4.tflite", bench / "my.toml")
    assert "calibrated on 3 measurements of this board" in after.latency.evidence
    # The weights of the classifier, 768 bytes, keep the cost that other boards say.
    seconds = CYCLES * after.work.instructions / CLOCK_HZ
    assert after.latency.seconds == pytest.approx(seconds, rel=1e-4)
    assert after.latency.intervals.interval_95.high < before.latency.intervals.interval_95.high * 2
    assert after.energy is not None
    assert after.energy.joules == pytest.approx(0.2 * after.latency.seconds)


def test_json_and_plots(bench: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _calibrate(bench, "--plots", str(bench / "plots"), "--format", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["cycles_per_instruction"] == pytest.approx(CYCLES, rel=1e-4)
    assert [item["model"] for item in report["measurements"]] == [
        "m1.tflite", "m2.tflite", "m4.tflite",
    ]  # fmt: skip
    assert all(abs(item["left_out_error"]) < 1e-4 for item in report["measurements"])
    assert all(item["op_count_left_out_error"] is not None for item in report["measurements"])
    for name in ("agreement.svg", "residuals.svg"):
        picture = ElementTree.parse(bench / "plots" / name)
        circles = picture.findall(".//{http://www.w3.org/2000/svg}circle")
        assert len(circles) >= 3


def test_models_are_found_by_digest(bench: Path) -> None:
    text = (bench / "m.csv").read_text()
    digest = hashlib.sha256((bench / "m2.tflite").read_bytes()).hexdigest()
    (bench / "deep").mkdir()
    (bench / "m2.tflite").rename(bench / "deep" / "renamed.tflite")
    (bench / "m.csv").write_text(text.replace("m2.tflite", f"sha256:{digest}"))
    assert _calibrate(bench) == 0
    assert len(find_board(str(bench / "my.toml")).calibrations[0].fitted) == 3


def test_a_shipped_board_is_copied_not_changed(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["calibrate", str(PUBLISHED), "--board", "f767zi"]
    assert run(arguments) == 2
    assert "ships with the package and is not changed" in capsys.readouterr().err
    copy = tmp_path / "copy.toml"
    assert run([*arguments, "--output", str(copy)]) == 0
    assert find_board(str(copy)).calibrations == find_board("f767zi").calibrations


def _edit(bench: Path, old: str, new: str) -> None:
    text = (bench / "m.csv").read_text()
    assert old in text
    (bench / "m.csv").write_text(text.replace(old, new, 1))


def _milliseconds(bench: Path) -> None:
    lines = (bench / "m.csv").read_text().splitlines()
    cells = lines[2].split(",")
    cells[6], cells[7] = str(1e3 * float(cells[6])), ""
    (bench / "m.csv").write_text("\n".join([*lines[:2], ",".join(cells), *lines[3:]]) + "\n")


def _add(bench: Path, line: str) -> None:
    (bench / "m.csv").write_text((bench / "m.csv").read_text() + line)


def _wrong_digest(bench: Path) -> None:
    header, first, *rest = (bench / "m.csv").read_text().splitlines()
    lines = [f"{header},sha256", f"{first},{'0' * 64}", *(f"{line}," for line in rest)]
    (bench / "m.csv").write_text("\n".join(lines) + "\n")


ERRORS: dict[str, tuple[Callable[[Path], object], str]] = {
    "unit of a column": (
        lambda bench: _edit(bench, "latency_s", "latency_ms"),
        "column latency_ms is in milliseconds",
    ),
    "unit of a value": (_milliseconds, ":3: wrong unit: latency_s"),
    "unit of the clock": (
        lambda bench: _edit(bench, str(CLOCK_HZ), "180"),
        ":2: wrong unit: clock_hz is 180",
    ),
    "duplicated row": (
        lambda bench: _add(bench, (bench / "m.csv").read_text().splitlines()[1] + "\n"),
        ":5: duplicated row",
    ),
    "mixed runtimes": (
        lambda bench: _edit(bench, "my TFLM", "TinyEngine"),
        "mixed runtimes: TinyEngine (lines 2); my TFLM (lines 3, 4)",
    ),
    "mixed clocks": (
        lambda bench: _edit(bench, str(CLOCK_HZ), "96000000"),
        "mixed clocks: 96000000 (lines 2)",
    ),
    "one point": (
        lambda bench: (bench / "m.csv").write_text(
            "".join((bench / "m.csv").read_text().splitlines(True)[:2])
        ),
        "one point to fit",
    ),
    "unknown model": (
        lambda bench: _edit(bench, "m2.tflite", "other.tflite"),
        ":3: unknown model 'other.tflite'",
    ),
    "another board": (
        lambda bench: (bench / "m.csv").write_text(
            (bench / "m.csv").read_text().replace("my_board", "your_board")
        ),
        "has no row of board my_board; its boards: your_board",
    ),
    "another file": (
        _wrong_digest,
        ":2: m1.tflite is another file than the one that was measured",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_say_what_and_write_nothing(
    name: str, bench: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, words = ERRORS[name]
    spoil(bench)
    before = (bench / "my.toml").read_bytes()
    assert _calibrate(bench, "--plots", str(bench / "plots")) == 2
    assert words in capsys.readouterr().err
    assert (bench / "my.toml").read_bytes() == before
    assert not (bench / "plots").exists()


@pytest.mark.parametrize("board", [board.name for board in shipped_boards() if board.calibrations])
def test_the_shipped_calibrations_are_those_of_the_published_measurements(
    board: str, tmp_path: Path
) -> None:
    """`make calibration` changes nothing; each sure cell of the paper's table is met."""
    copy = tmp_path / f"{board}.toml"
    copy.write_bytes((FOLDER / copy.name).read_bytes())
    assert run(["calibrate", str(PUBLISHED), "--board", str(copy)]) == 0
    assert copy.read_bytes() == (FOLDER / copy.name).read_bytes()
    (found,) = find_board(board).calibrations
    assert len(found.fitted) >= 2
    for item in found.fitted:
        predicted = found.costs.cycles(item.features) / found.clock_hz
        assert predicted == pytest.approx(item.latency_s, rel=0.03)
        assert abs(item.left_out_error or 0) < 0.03
    assert all(item.reason for item in found.measurements if not item.is_fitted)
