"""Says exactly whether a TensorFlow Lite model runs on a microcontroller under TFLM.

::

    import predictor

    prediction = predictor.predict("model.tflite", board="f746zg")
    prediction.fits, prediction.arena.required_bytes
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from predictor.views import register_views

if TYPE_CHECKING:
    from predictor.boards.board import Board, find_board
    from predictor.model.graph import Graph
    from predictor.model.tflite_reader import read_graph
    from predictor.prediction import Options, Prediction, predict, predict_graph

__all__ = [
    "Board",
    "Graph",
    "Options",
    "Prediction",
    "find_board",
    "predict",
    "predict_graph",
    "read_graph",
]

_HOMES = {
    "Board": "predictor.boards.board",
    "Graph": "predictor.model.graph",
    "Options": "predictor.prediction",
    "Prediction": "predictor.prediction",
    "find_board": "predictor.boards.board",
    "predict": "predictor.prediction",
    "predict_graph": "predictor.prediction",
    "read_graph": "predictor.model.tflite_reader",
}

register_views(
    {
        "notes": ("predictor.report.notes", "notes"),
        "remedies": ("predictor.report.notes", "remedies"),
        "prediction_json": ("predictor.report.json_report", "prediction_json"),
        "prediction_html": ("predictor.report.html.notebook", "notebook_html"),
        "comparison_html": ("predictor.report.html.notebook", "comparison_html"),
    }
)


def __getattr__(name: str) -> Any:
    """Imports public names when they are first used, so that importing the package is quick."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'predictor' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
