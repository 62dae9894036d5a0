"""Which of a board's calibrations a prediction takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from predictor.boards import board as boards
from predictor.boards.board import Board, find_board
from predictor.cli.main import run
from predictor.cost.latency import TimingBasis
from predictor.errors import UsageError
from predictor.model.example_models import ds_cnn
from predictor.prediction import predict

SHIPPED = Path(boards.__file__).with_name("f446re.toml")
CONTENT = ds_cnn().build()
INSTRUCTIONS = predict(CONTENT, "f446re").work.instructions


def _table(runtime: str, cpi: float, kernels: str = "cmsis_nn", clock_hz: int = 180_000_000) -> str:
    return (
        f'\n[[calibration]]\nruntime = "{runtime}"\nrevision = "2026.08"\nkernels = "{kernels}"\n'
        f"clock_hz = {clock_hz}\ncycles_per_instruction = {cpi}\nrelative_sd = 0.01\n"
        "degrees_of_freedom = 3\n"
    )


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """The F446RE with two more calibrations of its own conditions, and two of others."""
    path = tmp_path / "mine.toml"
    path.write_text(
        SHIPPED.read_text()
        + _table("bench of May", 3.0)
        + _table("bench of June", 4.0)
        + _table("slow clock", 5.0, clock_hz=90_000_000)
        + _table("slow kernels", 6.0, kernels="reference")
        + _table("slow both", 7.0, kernels="reference", clock_hz=90_000_000)
    )
    return find_board(path)


def _cpi(board: Board, **options: str) -> float:
    return predict(CONTENT, board, **options).timing.costs.cycles_per_instruction


def test_the_newest_that_matches_wins(board: Board) -> None:
    found = predict(CONTENT, board).latency
    assert found.basis is TimingBasis.BOARD
    assert found.cycles == pytest.approx(4.0 * INSTRUCTIONS)
    assert "bench of June" in found.evidence


def test_the_nearest_conditions_come_before_the_newest(board: Board) -> None:
    assert _cpi(board, kernels="reference") == 6.0
    other = predict(CONTENT, board, kernels="mn").latency
    assert other.basis is TimingBasis.OTHER_KERNELS
    assert "slow kernels" in other.evidence


def test_a_calibration_is_chosen_by_name(board: Board) -> None:
    assert _cpi(board, calibration="bench of may") == 3.0
    assert _cpi(board, calibration="TFLM of 2020") == pytest.approx(1.99317)
    far = predict(CONTENT, board, calibration="slow both").latency
    assert far.basis is TimingBasis.OTHER_CLOCK
    assert "with 2026.08 reference kernels and at 90 MHz" in far.evidence
    one = predict(CONTENT, board, calibration="slow clock").latency
    assert far.spread.relative_sd > one.spread.relative_sd


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bench", "has several calibrations that begin with 'bench'"),
        ("x", "no calibration 'x'"),
    ],
)
def test_a_name_that_says_nothing_is_a_usage_error(board: Board, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        _ = predict(CONTENT, board, calibration=name).latency
    assert "'bench of June'" in str(caught.value)


def test_the_command_line_chooses_and_lists(
    tmp_path: Path, board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    model, file = tmp_path / "m.tflite", tmp_path / "mine.toml"
    model.write_bytes(CONTENT)
    assert run([str(model), "--board", str(file), "--calibration", "bench of May"]) == 0
    assert "bench of May" in capsys.readouterr().out
    assert run([str(model), "--board", str(file), "--calibration", "nothing"]) == 2
    assert "has no calibration 'nothing'" in capsys.readouterr().err
    assert run(["boards", str(file)]) == 0
    listed = capsys.readouterr().out
    names = [line for line in listed.splitlines() if line.startswith("calibration ")]
    assert names == [
        "calibration 'slow both'",
        "calibration 'slow kernels'",
        "calibration 'slow clock'",
        "calibration 'bench of June'",
        "calibration 'bench of May'",
        "calibration 'TFLM of 2020 under Mbed OS'",
    ]
    assert max(map(len, listed.splitlines())) <= 80


def test_a_budget_file_names_a_calibration(
    tmp_path: Path, board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.tflite").write_bytes(CONTENT)
    for name, code in (("bench of May", 0), ("bench of June", 3)):
        (tmp_path / "predictor.toml").write_text(
            f'[tool.predictor.budgets."m.tflite"]\nboard = "{tmp_path / "mine.toml"}"\n'
            f'calibration = "{name}"\nmax_latency = "{3.5 * INSTRUCTIONS / 180e3:.6g}ms"\n'
        )
        assert run(["check", "--config", str(tmp_path / "predictor.toml")]) == code, name
    capsys.readouterr()
