"""What notebooks show."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from predictor.boards.board import find_board
from predictor.model.example_models import autoencoder, ds_cnn
from predictor.options import make_options
from predictor.prediction import Prediction, on_board, predict
from predictor.report.comparison import compare, subject
from predictor.report.html import notebook


@pytest.fixture(scope="module")
def prediction() -> Prediction:
    return predict(ds_cnn().build(), "f446re")


def test_a_prediction_shows_verdict_memories_and_plan(prediction: Prediction) -> None:
    root = ElementTree.fromstring(prediction._repr_html_())
    words = "".join(root.itertext())
    assert words.startswith("fits model on ST NUCLEO-F446RE")
    assert f"{prediction.arena.required_bytes:,}" in words
    svg = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{svg}svg") is not None
    titles = [title.text for title in root.iter(f"{svg}title")]
    assert len(titles) == 1 + len(prediction.arena.buffers)


def test_what_is_too_large_is_said(prediction: Prediction) -> None:
    options = make_options(reserve_ram_bytes=200_000)
    small = predict(ds_cnn().build(), "f446re", reserve_ram_bytes=options.reserve_ram_bytes)
    assert "does not fit" in small._repr_html_()
    assert "does not fit" not in on_board(small, find_board("f767zi"))._repr_html_()


def test_pictures_of_very_large_plans_are_left_out(
    prediction: Prediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "MOST_BUFFERS", 3)
    assert "<svg" not in prediction._repr_html_()


def test_a_comparison_is_a_table_that_starts_with_what_differs(prediction: Prediction) -> None:
    other = predict(autoencoder().build(), "f446re")
    both = [subject("<a>", prediction.to_json()), subject("b", other.to_json())]
    root = ElementTree.fromstring(compare(both, {})._repr_html_())
    rows = ["".join(row.itertext()) for row in root.iter("tr")]
    assert rows[0] == "<a>bdifference"
    assert rows[1].startswith("arena used22,820")
