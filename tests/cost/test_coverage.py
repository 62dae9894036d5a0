"""Intervals of a board's calibration hold what was measured on it, or the report says why not."""

from __future__ import annotations

import csv
import math
import random
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from predictor.boards import board as boards
from predictor.boards.board import shipped_boards
from predictor.boards.calibration import Calibration, CoreCosts, Features, Measured
from predictor.cost.coverage import further_model_spread, uncovered
from predictor.cost.instructions import Work
from predictor.cost.spreads import load_spreads
from predictor.intervals import Spread
from predictor.model.example_models import ds_cnn
from predictor.prediction import predict

PUBLISHED = Path(boards.__file__).with_name("published.csv")
BOARDS = {board.name: board for board in shipped_boards() if board.calibrations}


def published() -> list[dict[str, str]]:
    lines = PUBLISHED.read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.mark.parametrize("name", BOARDS)
def test_every_published_row_is_covered_or_excused(name: str) -> None:
    """Rows left out for doubt are held against the interval, too."""
    (found,) = BOARDS[name].calibrations
    outside = {item.model for item, _ in uncovered(found)}
    assert outside == {"MicroNet-VWW-S"}
    notes = predict(ds_cnn().build(), BOARDS[name]).details
    for item in found.measurements:
        interval = predict(ds_cnn().build(), BOARDS[name]).latency.spread.interval(
            found.predicted_s(item), 95
        )
        excused = any(item.model in note and item.reason in note for note in notes)
        assert item.latency_s in interval or excused, item.model


def test_a_row_outside_is_a_note_for_its_own_model_and_a_detail_for_others() -> None:
    found = predict(ds_cnn().build(), BOARDS["f446re"])
    assert not any("not cover" in note for note in found.notes)
    assert any("not cover" in detail for detail in found.details)
    (calibration,) = BOARDS["f446re"].calibrations
    ((row, _),) = uncovered(calibration)
    counts = Work(instructions=row.features.instructions / len(found.layers))
    same = replace(found, counted=(counts,) * len(found.layers))
    assert any(row.model in note for note in same.notes)
    assert not same.details


def test_the_spread_between_models_is_that_of_the_published_rows() -> None:
    """Pooled within groups of one board and runtime, convolution models with known counts."""
    groups = defaultdict(list)
    for row in published():
        streams = row["instructions"] and float(row["streamed_bytes"] or 0) > 0.05 * float(
            row["instructions"]
        )
        if not row["instructions"] or streams or row["doubt"].startswith(("another", "cell")):
            continue
        cycles = float(row["latency_s"]) * float(row["clock_hz"]) / float(row["instructions"])
        groups[row["board"], row["runtime"]].append(math.log(cycles))
    assert len(groups) == 5
    squares, freedom = 0.0, 0
    for logs in groups.values():
        mean = sum(logs) / len(logs)
        squares += sum((value - mean) ** 2 for value in logs)
        freedom += len(logs) - 1
    spread = load_spreads()["BETWEEN_MODELS"]
    assert spread.degrees_of_freedom == freedom
    assert spread.relative_sd == pytest.approx(math.sqrt(squares / freedom), rel=0.01)


def _calibration(logs: list[float], errors: Spread) -> Calibration:
    clock_hz = 100_000_000
    rows = tuple(
        Measured(f"m{index}", Features(1e6), math.exp(value) * 1e6 / clock_hz, "test")
        for index, value in enumerate(logs)
    )
    costs = CoreCosts(math.exp(sum(logs) / len(logs)))
    return Calibration("r", "2026.08", "cmsis_nn", clock_hz, costs, errors, rows)


@pytest.mark.parametrize("level", [80, 95])
@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_intervals_hold_as_often_as_they_say(level: int, count: int) -> None:
    """Models scatter as on the published boards; a board is calibrated on a few of them."""
    rng = random.Random(100 * count + level)
    between = load_spreads()["BETWEEN_MODELS"].relative_sd
    held, rounds = 0, 3000
    for _ in range(rounds):
        logs = [rng.gauss(0, between) for _ in range(count)]
        mean = sum(logs) / count
        freedom = count - 1
        own = Spread(math.sqrt(sum((x - mean) ** 2 for x in logs) / freedom), freedom)
        spread = further_model_spread(_calibration(logs, own))
        held += math.exp(rng.gauss(0, between)) in spread.interval(math.exp(mean), level)
    assert level - 2 <= 100 * held / rounds <= level + 4


def test_a_board_whose_models_scatter_more_gets_an_interval_that_holds_them() -> None:
    found = _calibration([0.0, 0.6], Spread(0.05, 1))
    assert uncovered(found) == ()
    calm = _calibration([0.0, 0.01], Spread(0.01, 1))
    assert further_model_spread(found).relative_sd > 2 * further_model_spread(calm).relative_sd
