"""Power of boards: scaled to clock and voltage, stated where another stands in, else withheld."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from predictor.boards.board import Board, shipped_boards
from predictor.cost.calibration import calibrations
from predictor.cost.power import board_power, powers
from predictor.errors import BoardError
from predictor.model.example_models import ds_cnn
from predictor.prediction import predict

CONTENT = ds_cnn().build()
BOARDS = {board.name: board for board in shipped_boards()}


def _with(board: Board, clock_hz: int | None = None, **tables: Any) -> Board:
    core = replace(board.core, clock_hz=clock_hz or board.core.clock_hz)
    kept = {key: value for key, value in board.tables.items() if key not in tables}
    added = {key: value for key, value in tables.items() if value is not None}
    return replace(board, core=core, tables=MappingProxyType({**kept, **added}))


def _nrf52840(**tables: Any) -> Board:
    """A board with the F446RE's core and nothing measured."""
    board = replace(BOARDS["f446re"], name="nano33", aliases=())
    return _with(board, 64_000_000, calibration=None, **{"power": None, **tables})


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_published_energies_within_5_percent(board: Board) -> None:
    known = powers(board)
    (found,) = calibrations(board)
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
    other = predict(CONTENT, _nrf52840(power={"like": "f446re"})).energy
    assert other is not None
    assert other.power_w == pytest.approx(0.161906 * 64 / 180, rel=0.01)
    assert "from 180 to 64 MHz" in other.evidence
    assert other.intervals.interval_95.low / found.power_w < 0.010 < other.power_w


def test_power_follows_clock_and_voltage() -> None:
    table = {
        "supply_v": 1.8,
        "convolution": {
            "active_w": 0.0742, "active_sd_w": 0.001, "measurements": 4,
            "clock_hz": 120_000_000, "supply_v": 3.0,
        },
    }  # fmt: skip
    # NUCLEO-L4R5ZI: 44.8 mW at 1.8 V, 74.2 mW at 3.0 V (MLPerf Tiny v1.0 and v1.1).
    same = board_power(_with(BOARDS["f446re"], 120_000_000, power=table))
    assert same is not None
    power = same.by_class["convolution"]
    assert power.active_w == pytest.approx(0.0448, rel=0.01)
    assert "from 3 to 1.8 V" in same.evidence
    half = board_power(_with(BOARDS["f446re"], 60_000_000, power=table))
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
        ({"like": "f999"}, "power.like is 'f999'"),
        ({"like": 3}, "power.like is 3"),
        ({"like": "f767zi"}, "power.like is 'f767zi'"),
        ({"convolution": {**ONE_WATT, "active_w": float("nan")}}, "range"),
        (
            {"convolution": {**ONE_WATT, "supply_v": -3}},
            "needs",
        ),
        ({"convolution": 3}, "needs the numbers"),
        ({"sleep_w": "x", "like": "f446re"}, "sleep_w must be a number"),
        ({"supply_v": 0, "like": "f446re"}, "power.supply_v is no voltage"),
    ],
)
def test_malformed_power_is_named(table: dict[str, Any], words: str) -> None:
    board = _with(BOARDS["f446re"], power=table)
    with pytest.raises(BoardError, match=words):
        _ = predict(CONTENT, board, fps=1).duty
