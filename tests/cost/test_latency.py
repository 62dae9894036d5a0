"""Latency and energy against the measurements that boards ship with, and boards without any."""

from __future__ import annotations

from dataclasses import replace

import pytest

from predictor.boards.board import Board, shipped_boards
from predictor.boards.calibration import Calibration, Measured
from predictor.cost import latency as latency_module
from predictor.cost.instructions import Basis, Work
from predictor.cost.latency import TimingBasis, latency, timing
from predictor.intervals import Intervals
from predictor.memory.revision import load_revision
from predictor.model.example_models import ds_cnn
from predictor.prediction import predict

BOARDS = {board.name: board for board in shipped_boards()}
REVISION = load_revision()
ROWS = [
    (board, found, item)
    for board in shipped_boards()
    for found in board.calibrations
    for item in found.measurements
]
FITTED = [row for row in ROWS if row[2].is_fitted]


def works_of(item: Measured) -> tuple[Work, ...]:
    features = item.features
    return (
        Work(
            instructions=features.instructions,
            unaligned_loads=features.unaligned_loads,
            streamed_bytes=int(features.streamed_bytes),
            basis=Basis.EMULATED,
        ),
    )


def without_calibration(board: Board) -> Board:
    return replace(board, calibrations=())


def ids(row: tuple[Board, Calibration, Measured]) -> str:
    return f"{row[0].name}-{row[2].model}"


@pytest.mark.parametrize("row", FITTED, ids=ids)
def test_published_latencies_within_3_percent(row: tuple[Board, Calibration, Measured]) -> None:
    board, _, item = row
    found = latency(works_of(item), timing(board, REVISION), board)
    assert found.seconds == pytest.approx(item.latency_s, rel=0.03)
    assert item.latency_s in found.intervals.interval_95
    assert found.basis is TimingBasis.BOARD


@pytest.mark.parametrize("row", FITTED, ids=ids)
def test_rows_left_out_lie_in_the_interval(row: tuple[Board, Calibration, Measured]) -> None:
    """Prediction by the fit without the row, with the interval that a board's prediction has."""
    board, _, item = row
    if item.left_out_error is None:
        pytest.skip("the fit needs this row")
    spread = timing(board, REVISION).spread
    predicted_s = item.latency_s * (1 + item.left_out_error)
    assert item.latency_s in Intervals.around(predicted_s, spread).interval_95


def test_the_boards_rest_on_the_published_rows() -> None:
    assert {(board.name, len(list(found.fitted))) for board, found, _ in ROWS} >= {
        ("f446re", 3),
        ("f767zi", 3),
    }
    doubtful = {item.model for _, _, item in ROWS if not item.is_fitted}
    assert {"DSCNN-S", "DSCNN-M", "DSCNN-L", "MicroNet-VWW-S"} <= doubtful
    assert all(item.reason for _, _, item in ROWS if not item.is_fitted)


@pytest.mark.parametrize("row", FITTED, ids=ids)
def test_an_uncalibrated_board_has_an_interval_that_holds_the_truth(
    row: tuple[Board, Calibration, Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each board held out in turn: neither its own constants nor its name is known."""
    board, found, item = row
    rest = tuple(other for other in shipped_boards() if other.name != board.name)
    monkeypatch.setattr(latency_module, "shipped_boards", lambda: rest)
    guess = timing(without_calibration(board), REVISION)
    estimate = latency(works_of(item), guess, board)
    assert item.latency_s in estimate.intervals.interval_95
    assert estimate.spread.relative_sd > 5 * found.spread.relative_sd
    assert "not calibrated" in estimate.evidence


def test_custom_boards_get_wide_intervals() -> None:
    board = replace(without_calibration(BOARDS["f446re"]), name="mine", aliases=())
    found = predict(ds_cnn().build(), board).latency
    own = predict(ds_cnn().build(), BOARDS["f446re"]).latency
    assert found.basis is TimingBasis.OTHER_BOARD
    assert found.intervals.interval_80.high / found.seconds > 1.3
    assert own.seconds in found.intervals.interval_95


def test_another_clock_or_kernel_set_widens_the_interval() -> None:
    content, board = ds_cnn().build(), BOARDS["f746zg"]
    slow = replace(board, core=replace(board.core, clock_hz=100_000_000))
    assert predict(content, slow).latency.basis is TimingBasis.OTHER_CLOCK
    reference = predict(content, board, kernels="reference").latency
    assert reference.basis is TimingBasis.OTHER_KERNELS
    for found in (predict(content, slow).latency, reference):
        assert found.spread.relative_sd > 0.15


def test_operators_without_a_formula_widen_the_interval() -> None:
    board = BOARDS["f446re"]
    exact = Work(instructions=1e6)
    proxy = Work(instructions=1e6, basis=Basis.PROXY)
    spreads = [
        latency(works, timing(board, REVISION), board).spread.relative_sd
        for works in ((exact, exact), (exact, proxy), (proxy, proxy))
    ]
    assert spreads == sorted(spreads)
    assert spreads[1] > 2 * spreads[0]
    assert "proxy" in latency((exact, proxy), timing(board, REVISION), board).evidence


@pytest.mark.parametrize("board", ["f446re", "f746zg"])
def test_kernels_that_were_not_measured_take_what_the_pipeline_takes_for_them(board: str) -> None:
    core = BOARDS[board].core.model
    pipeline = dict(core.kernel_cycles)
    measured, own = (
        timing(BOARDS[board], load_revision("2026.08", kernels, core)).costs.cycles_per_instruction
        for kernels in ("cmsis_nn", "mn")
    )
    assert own - measured == pytest.approx(pipeline["mn"] - pipeline["cmsis_nn"])
    best = load_revision("2026.08", "mn_on_cmsis_nn-FULLY_CONNECTED", core)
    assert timing(BOARDS[board], best).costs.cycles_per_instruction == own


def test_a_board_without_calibration_takes_the_pipeline_into_account() -> None:
    board = next(board for board in shipped_boards() if board.name == "l476rg")
    core = board.core.model
    pipeline = dict(core.kernel_cycles)
    measured, own = (
        timing(board, load_revision("2026.08", kernels, core)).costs.cycles_per_instruction
        for kernels in ("cmsis_nn", "mn")
    )
    assert own / measured > 1 + (pipeline["mn"] - pipeline["cmsis_nn"]) / measured / 2


def test_a_core_faster_than_its_pipeline_changes_in_proportion() -> None:
    """A calibration may hold anything; its costs stay above zero."""
    board = BOARDS["f446re"]
    core = board.core.model
    pipeline = dict(core.kernel_cycles)
    costs = replace(board.calibrations[0].costs, cycles_per_instruction=0.1)
    found = replace(board.calibrations[0], kernels="mn", costs=costs)
    fast = replace(board, calibrations=(found,))
    changed = timing(fast, load_revision("2026.08", "cmsis_nn", core)).costs
    expected = 0.1 * pipeline["cmsis_nn"] / pipeline["mn"]
    assert changed.cycles_per_instruction == pytest.approx(expected)
