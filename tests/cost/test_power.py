"""Power of boards: scaled to clock and voltage, stated where another stands in, else withheld."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from predictor import toml
from predictor.boards import board as boards
from predictor.boards.board import Board, parse_board, shipped_boards
from predictor.boards.power import Power, Powers
from predictor.cost.power import board_power, powers
from predictor.errors import BoardError
from predictor.intervals import Spread
from predictor.model.example_models import ds_cnn
from predictor.prediction import predict

NO_POWER = Powers()
CONTENT = ds_cnn().build()
BOARDS = {board.name: board for board in shipped_boards() if board.calibrations}


def _with(board: Board, clock_hz: int, power: Powers | None = None) -> Board:
    core = replace(board.core, clock_hz=clock_hz)
    return replace(board, core=core, power=power or board.power)


def _nrf52840(power: Powers = NO_POWER) -> Board:
    """A board with the F446RE's core and nothing measured."""
    board = replace(BOARDS["f446re"], name="nano33", aliases=(), calibrations=())
    return _with(board, 64_000_000, power)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_published_energies_within_5_percent(board: Board) -> None:
    known = powers(board)
    (found,) = board.calibrations
    rows = [item for item in found.fitted if item.energy_j is not None]
    if board.name == "f767zi":
        assert not rows
    for item in rows:
        streams = item.features.streamed_bytes > 0.05 * item.features.instructions
        power = known["fully_connected" if streams else "convolution"]
        assert found.predicted_s(item) * power.active_w == pytest.approx(item.energy_j, rel=0.05)


def test_no_board_inherits_the_power_of_another() -> None:
    """An nRF52840 takes some 10 mW at 64 MHz, not the F446RE's 162 mW at 180 MHz."""
    found = predict(CONTENT, _nrf52840())
    assert found.energy is None
    assert board_power(_nrf52840()) is None


def test_power_that_stands_in_is_named_and_scaled_by_the_clock() -> None:
    found = predict(CONTENT, BOARDS["f767zi"]).energy
    assert found is not None
    assert "of f746zg, which stands in for this board" in found.evidence
    assert found.intervals.interval_95.high > 3 * found.joules
    other = predict(CONTENT, _nrf52840(Powers(like="f446re"))).energy
    assert other is not None
    assert other.power_w == pytest.approx(0.161906 * 64 / 180, rel=0.01)
    assert "from 180 to 64 MHz" in other.evidence
    assert other.intervals.interval_95.low / found.power_w < 0.010 < other.power_w


def test_power_follows_clock_and_voltage() -> None:
    measured = Power(0.0742, Spread(0.001 / 0.0742, 3), 4, 120_000_000, 3.0)
    table = Powers(supply_v=1.8, convolution=measured)
    # NUCLEO-L4R5ZI: 44.8 mW at 1.8 V, 74.2 mW at 3.0 V (MLPerf Tiny v1.0 and v1.1).
    same = board_power(_with(BOARDS["f446re"], 120_000_000, table))
    assert same is not None
    power = same.by_class["convolution"]
    assert power.active_w == pytest.approx(0.0448, rel=0.01)
    assert "from 3 to 1.8 V" in same.evidence
    half = board_power(_with(BOARDS["f446re"], 60_000_000, table))
    assert half is not None
    assert half.by_class["convolution"].active_w == pytest.approx(power.active_w / 2)
    assert half.by_class["convolution"].spread.relative_sd > power.spread.relative_sd
    own = board_power(BOARDS["f446re"])
    assert own is not None
    assert "scaled" not in own.evidence
    assert own.by_class == powers(BOARDS["f446re"])


def test_another_clock_changes_the_energy_as_it_says() -> None:
    board = BOARDS["f446re"]
    slow = predict(CONTENT, _with(board, 90_000_000)).energy
    fast = predict(CONTENT, board).energy
    assert slow is not None
    assert fast is not None
    assert slow.power_w == pytest.approx(fast.power_w / 2)
    assert slow.joules == pytest.approx(fast.joules)
    assert "scaled from 180 to 90 MHz" in slow.evidence


ONE_WATT = {"active_w": 1, "active_sd_w": 0, "measurements": 1}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"like": 3}, "power.like must be a name"),
        ({"convolution": {**ONE_WATT, "active_w": float("nan")}}, "active_w must be a number"),
        ({"convolution": {**ONE_WATT, "supply_v": -3}}, "supply_v must be a number from 0.5 to 60"),
        ({"convolution": {**ONE_WATT, "clock_hz": 0}}, "clock_hz must be a whole number from 1"),
        ({"convolution": {"active_w": 1}}, "power.convolution.active_sd_w is missing"),
        ({"convolution": 3}, "power.convolution must be a table"),
        ({"sleep_w": "x", "like": "f446re"}, "sleep_w must be a number"),
        ({"supply_v": 0, "like": "f446re"}, "power.supply_v must be a number from 0.5 to 60"),
    ],
)
def test_malformed_power_is_named(table: dict[str, Any], words: str) -> None:
    values = toml.loads((Path(boards.__file__).parent / "f446re.toml").read_text())
    with pytest.raises(BoardError, match=words):
        parse_board({**values, "power": table}, "mine.toml")


@pytest.mark.parametrize("name", ["f999", "f767zi"])
def test_only_a_board_of_known_power_stands_in(name: str) -> None:
    board = replace(BOARDS["f446re"], power=Powers(like=name))
    with pytest.raises(BoardError, match=f"power.like is '{name}'"):
        _ = predict(CONTENT, board, fps=1).duty
