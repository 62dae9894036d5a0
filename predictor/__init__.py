"""Says exactly whether a TensorFlow Lite model runs on a microcontroller under TFLM.

::

    import predictor

    prediction = predictor.predict("model.tflite", board="f746zg")
    prediction.fits, prediction.arena.required_bytes

    predictor.optimize("model.tflite").after.arena.required_bytes  # the same model in less arena
    predictor.emulate("model.tflite").passed  # in real firmware on an emulated board
    predictor.compare(prediction, predictor.predict("other.tflite"))  # what differs

All names of ``__all__`` are public; they are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from predictor.views import register_views

if TYPE_CHECKING:
    from predictor import errors
    from predictor.boards.board import Board, find_board, shipped_boards
    from predictor.model.builder import ModelBuilder
    from predictor.model.graph import Graph
    from predictor.model.network import to_networkx
    from predictor.model.tflite_reader import read_graph
    from predictor.optimization.optimization import Optimization
    from predictor.optimization.optimization import optimize_model as optimize
    from predictor.optimization.optimizer import OptimizeOptions
    from predictor.optimization.overlap import OverlapLevel
    from predictor.options import Options
    from predictor.prediction import (
        Prediction,
        on_board,
        on_shipped_boards,
        predict,
        predict_graph,
    )
    from predictor.proof.emulate import emulate
    from predictor.proof.model_run import ModelRun
    from predictor.report.comparison import Comparison
    from predictor.report.comparison import compare_predictions as compare

__all__ = [
    "Board",
    "Comparison",
    "Graph",
    "ModelBuilder",
    "ModelRun",
    "Optimization",
    "OptimizeOptions",
    "Options",
    "OverlapLevel",
    "Prediction",
    "compare",
    "emulate",
    "errors",
    "find_board",
    "on_board",
    "on_shipped_boards",
    "optimize",
    "predict",
    "predict_graph",
    "read_graph",
    "shipped_boards",
    "to_networkx",
]

_HOMES = {
    "Board": ("predictor.boards.board", "Board"),
    "Comparison": ("predictor.report.comparison", "Comparison"),
    "Graph": ("predictor.model.graph", "Graph"),
    "ModelBuilder": ("predictor.model.builder", "ModelBuilder"),
    "ModelRun": ("predictor.proof.model_run", "ModelRun"),
    "Optimization": ("predictor.optimization.optimization", "Optimization"),
    "OptimizeOptions": ("predictor.optimization.optimizer", "OptimizeOptions"),
    "Options": ("predictor.options", "Options"),
    "OverlapLevel": ("predictor.optimization.overlap", "OverlapLevel"),
    "Prediction": ("predictor.prediction", "Prediction"),
    "compare": ("predictor.report.comparison", "compare_predictions"),
    "emulate": ("predictor.proof.emulate", "emulate"),
    "find_board": ("predictor.boards.board", "find_board"),
    "on_board": ("predictor.prediction", "on_board"),
    "on_shipped_boards": ("predictor.prediction", "on_shipped_boards"),
    "optimize": ("predictor.optimization.optimization", "optimize_model"),
    "predict": ("predictor.prediction", "predict"),
    "predict_graph": ("predictor.prediction", "predict_graph"),
    "read_graph": ("predictor.model.tflite_reader", "read_graph"),
    "shipped_boards": ("predictor.boards.board", "shipped_boards"),
    "to_networkx": ("predictor.model.network", "to_networkx"),
}
register_views(
    {
        "notes": ("predictor.report.notes", "notes"),
        "details": ("predictor.report.notes", "details"),
        "remedies": ("predictor.report.notes", "remedies"),
        "prediction_json": ("predictor.report.json_report", "prediction_json"),
        "prediction_html": ("predictor.report.html.notebook", "notebook_html"),
        "comparison_html": ("predictor.report.html.notebook", "comparison_html"),
        "optimization_json": ("predictor.report.optimization_forms", "optimization_json"),
    }
)


def __getattr__(name: str) -> object:
    """Imports public names when they are first used, so that importing the package is quick."""
    from importlib import import_module

    if name == "errors":
        return import_module("predictor.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'predictor' has no attribute {name!r}")
    module, member = _HOMES[name]
    return getattr(import_module(module), member)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
