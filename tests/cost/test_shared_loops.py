"""Loops that are counted once for all layers of a shape stay as they were counted."""

from __future__ import annotations

import pytest

from predictor.model.example_models import ds_cnn
from predictor.model.tflite_reader import read_graph
from predictor.options import Options
from predictor.prediction import predict_graph

CASES = [("2026.08", "cmsis_nn"), ("2026.08", "reference"), ("2026.08", "mn"), ("2020.07", None)]


@pytest.mark.parametrize(("tflm", "kernels"), CASES)
def test_other_kernels_before_change_nothing(tflm: str, kernels: str | None) -> None:
    graph = read_graph(ds_cnn().build())
    options = Options(tflm=tflm, kernels=kernels)
    first = predict_graph(graph, options=options).works
    for other, others in CASES:
        predict_graph(graph, options=Options(tflm=other, kernels=others)).work  # noqa: B018
    assert predict_graph(graph, options=options).works == first
