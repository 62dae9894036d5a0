"""What all boards of a core have in common is counted once."""

from __future__ import annotations

from predictor.model.example_models import person_detection
from predictor.prediction import on_shipped_boards, predict
from predictor.report.json_report import figures_json


def test_boards_with_equal_cores_share_the_inference() -> None:
    predictions = on_shipped_boards(predict(person_detection().build()))
    inferences = {id(item.inference) for item in predictions}
    kinds = {(id(item.on_core), item.timing.costs) for item in predictions}
    assert len(inferences) == len(kinds) < len(predictions)


def test_figures_cost_no_sentences() -> None:
    prediction = predict(person_detection().build(), "f446re")
    figures = figures_json(prediction)
    assert not {"notes", "remedies"} & vars(prediction).keys()
    assert figures.items() <= prediction.to_json().items()
