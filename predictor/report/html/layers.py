"""The layers of a page: rows with work and time, the columns of their table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import escape

from predictor.cost.inference import LayerRuns
from predictor.cost.instructions import Work
from predictor.cost.latency import features
from predictor.cost.op_count import Layer
from predictor.escapes import printable
from predictor.prediction import Prediction
from predictor.records import dataclass
from predictor.report.cost_text import runs_words
from predictor.report.html.plan import MOST_SHOWN, TIMES
from predictor.report.html.plan_picture import short
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

    def cell(self, row: LayerRow) -> str:
        """The cell of a layer as markup; a bar of the value's share lies behind a number."""
        value = self.value(row)
        if not self.is_number or isinstance(value, str):
            kind = ' class="long"' if self.is_long else ""
            return f"<td{kind}>{escape(value)}</td>"
        share = 100 * value / self.largest if self.largest else 0
        bar = f' style="--share:{short(share)}%"' if share else ""
        return f'<td class="number"{bar}>{value:,.{self.decimals}f}</td>'


def table_rows(rows: Sequence[LayerRow], columns: Sequence[Column]) -> str:
    """The body of the layers table as markup, without rows beyond :data:`MOST_SHOWN`."""
    return "\n".join(
        f'<tr><th scope="row" class="number">{row.layer.index}</th>'
        f"{''.join([column.cell(row) for column in columns])}</tr>"
        for row in rows[:MOST_SHOWN]
    )


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
