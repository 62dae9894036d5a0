"""The layers of a page: rows with work and time, the columns of their table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from predictor.cost.inference import LayerRuns
from predictor.cost.instructions import Work
from predictor.cost.latency import features
from predictor.cost.op_count import Layer
from predictor.escapes import printable
from predictor.prediction import Prediction
from predictor.report.cost_text import runs_words
from predictor.report.html.plan import TIMES
from predictor.report.units import time_unit


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer with its instructions and its time on the prediction's board."""

    layer: Layer
    work: Work
    seconds: float
    runs: LayerRuns


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the layers table. Bars in the cells, if any, are full at ``largest``."""

    title: str
    value: Callable[[LayerRow], float | str]
    is_number: bool = True
    decimals: int = 0
    largest: float = 0
    is_long: bool = False

    def text(self, row: LayerRow) -> str:
        value = self.value(row)
        return value if isinstance(value, str) else f"{value:,.{self.decimals}f}"

    def percent(self, row: LayerRow) -> float:
        """Length of the bar in the cell, 0 for none."""
        value = self.value(row)
        return 0 if isinstance(value, str) or not self.largest else 100 * value / self.largest


def layer_rows(prediction: Prediction) -> list[LayerRow]:
    """The layers of a prediction in their order."""
    costs, clock_hz = prediction.timing.costs, prediction.board.core.clock_hz
    return [
        LayerRow(layer, work, runs.shown * costs.cycles(features([work])) / clock_hz, runs)
        for layer, work, runs in zip(
            prediction.layers, prediction.works, prediction.inference.layer_runs, strict=True
        )
    ]


def columns(prediction: Prediction, rows: list[LayerRow]) -> list[Column]:
    """The columns of the layers table, from left to right, after the operator's number."""
    if not rows:
        return []
    found = [
        Column("operator", lambda row: row.layer.operator, is_number=False),
        Column("output", lambda row: printable(row.layer.output_name), is_number=False,
               is_long=True),
        Column("shape", _shape, is_number=False),
        *_time_columns(rows),
        _with_bars("MACs", lambda row: row.layer.macs, rows),
        Column("other ops", lambda row: row.layer.other_ops),
        Column("weights, bytes", lambda row: row.layer.weight_bytes),
        Column("kernel data, bytes", lambda row: row.layer.persistent_bytes),
        Column("scratch, bytes", lambda row: row.layer.scratch_bytes),
    ]  # fmt: skip
    if len(prediction.graph.subgraphs) > 1:
        found.insert(0, Column("subgraph", lambda row: row.layer.subgraph_index))
        found.insert(1, Column("runs", lambda row: runs_words(row.runs), is_number=False))
    return found


def _time_columns(rows: list[LayerRow]) -> list[Column]:
    size, name = time_unit(max(row.seconds for row in rows))
    whole = sum(row.seconds for row in rows) or 1.0
    return [
        _with_bars("time, %", lambda row: 100 * row.seconds / whole, rows, decimals=1),
        Column(f"time, {name}", lambda row: row.seconds / size, decimals=3),
        Column("instructions", lambda row: round(row.work.instructions)),
    ]


def _with_bars(
    title: str, value: Callable[[LayerRow], float], rows: list[LayerRow], decimals: int = 0
) -> Column:
    return Column(title, value, decimals=decimals, largest=max(map(value, rows)))


def _shape(row: LayerRow) -> str:
    layer = row.layer
    return f"{TIMES.join(map(str, layer.output_shape)) or 'scalar'} {layer.output_type}".strip()
