"""Calibrations in board files: written, read again, and nothing else touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor import toml
from predictor.boards import board as boards
from predictor.boards.board import parse_board, shipped_boards
from predictor.boards.calibration import Calibration, CoreCosts, Features, Measured
from predictor.boards.power import Power
from predictor.cost.calibration_writer import updated
from predictor.errors import BoardError
from predictor.intervals import Spread

FOLDER = Path(boards.__file__).parent
POWERS = {"convolution": Power(0.25, Spread(0.02, 4), 5)}
TEXT = st.text(st.characters(codec="utf-8"), max_size=20).filter(str.isprintable)
NAME = st.from_regex(toml.NAME, fullmatch=True)
POSITIVE = st.floats(1e-9, 1e9).map(lambda value: float(f"{value:.6g}"))
COST = st.floats(1e-3, 1e6).map(lambda value: float(f"{value:.6g}"))
SD = st.floats(0, 10).map(lambda value: float(f"{value:.6g}"))
WHOLE = st.integers(1, 10**12).map(float)


def _text(name: str) -> str:
    return (FOLDER / f"{name}.toml").read_text()


MEASURED = st.builds(
    Measured,
    model=TEXT,
    features=st.builds(Features, WHOLE, st.just(0.0) | WHOLE, st.just(0.0) | WHOLE),
    latency_s=POSITIVE,
    source=TEXT,
    sha256=st.none() | st.from_regex("[0-9a-f]{64}", fullmatch=True),
    energy_j=st.none() | POSITIVE,
    repeats=st.integers(1, 1000),
    is_fitted=st.booleans(),
    left_out_error=st.none() | POSITIVE,
    reason=TEXT,
)
CALIBRATION = st.builds(
    Calibration,
    runtime=TEXT,
    revision=NAME,
    kernels=NAME,
    clock_hz=st.integers(1, 10**9),
    costs=st.builds(CoreCosts, COST, COST, COST),
    spread=st.builds(Spread, SD, WHOLE),
    measurements=st.lists(MEASURED, max_size=3).map(tuple),
)


@settings(deadline=None)
@given(CALIBRATION)
def test_what_is_written_is_read_again(calibration: Calibration) -> None:
    text = updated(_text("f446re"), calibration, POWERS)
    board = parse_board(toml.loads(text), "test")
    assert board.calibrations[-1] == calibration
    found = board.power.convolution
    assert found is not None
    assert found.active_w == 0.25
    assert found.measurements == 5
    assert updated(text, calibration, POWERS) == text


@pytest.mark.parametrize("board", [board.name for board in shipped_boards() if board.calibrations])
def test_everything_else_stays(board: str) -> None:
    before = _text(board)
    own = boards.find_board(board).calibrations[0]
    other = Calibration("another runtime", "2026.08", "cmsis_nn", 1, CoreCosts(2), Spread(0.1, 2))
    after = updated(before, other, {})
    assert [item.runtime for item in parse_board(toml.loads(after), board).calibrations] == [
        own.runtime,
        "another runtime",
    ]
    comments = [line for line in before.splitlines() if "#" in line]
    assert [line for line in after.splitlines() if "#" in line] == comments


def test_a_file_in_a_form_that_is_not_understood() -> None:
    start, _, rest = _text("f446re").partition("[power.convolution]")
    inline = "power = { convolution = { active_w = 1.0 } }\n" + start
    assert rest
    calibration = Calibration("r", "2026.08", "cmsis_nn", 1, CoreCosts(2), Spread(0.1, 2))
    with pytest.raises((BoardError, toml.TOMLDecodeError)):
        updated(inline, calibration, POWERS)
