"""The pin that tells instruments where an inference begins and ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from predictor.boards.board import find_board
from predictor.errors import MissingDependencyError
from predictor.firmware.board_file import board_file
from predictor.firmware.build import build
from predictor.firmware.flash_blob import model_blobs
from predictor.firmware.runner_report import read_report
from predictor.firmware.target import firmware_target
from predictor.model.example_models import EXAMPLE_MODELS
from tests.boards import PORTED, PORTED_NAMES
from tests.measure.emulated_board import EmulatedRun, run_watched

pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
BOARDS = PORTED_NAMES
REPEATS = 3


@pytest.fixture(scope="module", params=BOARDS)
def run(request: pytest.FixtureRequest) -> EmulatedRun:
    board = find_board(request.param)
    try:
        image = build(firmware_target(board))
    except MissingDependencyError as error:
        pytest.skip(str(error))
    blob = model_blobs(EXAMPLE_MODELS["ds_cnn"]().build(), repeats=REPEATS)
    return run_watched(board, image.elf, (blob, image.blob_address))


@pytest.mark.toolchain
def test_each_repeat_is_one_pulse_as_long_as_invoke(run: EmulatedRun) -> None:
    report, _ = read_report(run.result.uart)
    report.require_success()
    assert sorted(report.runs) == list(range(REPEATS))
    assert len(run.pulses) == REPEATS
    for (start, end), reported in zip(run.pulses, report.runs.values(), strict=True):
        assert reported.invoke is not None
        # The pin's writes and the counter's reads: some 20 instructions.
        assert 0 < (end - start) - reported.invoke.cyccnt < 50


@pytest.mark.toolchain
def test_repeats_of_one_input_are_equal(run: EmulatedRun) -> None:
    report, _ = read_report(run.result.uart)
    assert len({run.output_bytes(0) for run in report.runs.values()}) == 1
    assert len({run.cyccnt for run in report.runs.values()}) == 1


def test_boards_say_where_the_marker_is() -> None:
    for board in PORTED:
        assert 'set(BOARD_HAS_MARKER "ON")' in board_file(board)


def test_a_board_without_marker() -> None:
    board = find_board("f446re")
    assert "MARKER" not in board_file(replace(board, marker=None))
