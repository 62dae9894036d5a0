"""Public reports of users, each rebuilt as a small model: what happened beside what is predicted.

``python -m tests.docs.reports`` writes the table of docs/reference/reports.md anew.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from predictor.cores.core import find_core
from predictor.memory.revision import load_revision
from predictor.memory.under_tflms import TflmOutcome, under_tflm
from predictor.model.builder import ModelBuilder
from predictor.model.example_models import ds_cnn
from predictor.model.graph import Graph
from predictor.model.tflite_reader import read_graph
from predictor.report.markdown import escape
from truth import models

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "reports.csv"
PAGE = ROOT / "docs" / "reference" / "reports.md"
HEAD = "| report | what happened | rebuilt as | TFLM | what is predicted |"
_CUSTOM = "custom:"


class Report(NamedTuple):
    """A report by ``owner/repository#number``, the model and the TFLM that stand for it."""

    report: str
    happened: str
    model: str
    tflm: str

    @property
    def link(self) -> str:
        repository, number = self.report.split("#")
        return f"https://github.com/{repository}/issues/{number}"


def reports() -> tuple[Report, ...]:
    with DATA.open(encoding="utf-8", newline="") as file:
        return tuple(Report(**row) for row in csv.DictReader(file))


def rebuilt(name: str) -> Graph:
    """The model that stands for a report's."""
    if name == "ds_cnn":
        return read_graph(ds_cnn().build())
    if name in models.names():
        return read_graph(models.build(name))
    operator, _, kind = name.removeprefix(_CUSTOM).partition("/")
    builder = ModelBuilder(name)
    x = builder.input((1, 4), type=kind or "float32")
    is_custom = name.startswith(_CUSTOM)
    builder.output(*builder.operator(operator, [x], [((1, 4), "float32")], is_custom=is_custom))
    return read_graph(builder.build())


def outcome(report: Report) -> TflmOutcome:
    revision = load_revision(report.tflm, core=find_core("cortex-m4"))
    return under_tflm(rebuilt(report.model), revision)


def answer(report: Report) -> str:
    """What is predicted, in a cell of a table."""
    found = outcome(report)
    if found.arena_bytes is None:
        return "refused: " + "; ".join(found.words)
    arena_words = f"runs, arena {found.arena_bytes:,} B" if found.runs else "does not run"
    return "; ".join([arena_words, *found.words])


def table() -> str:
    """The table of the page."""
    rows = [HEAD, "| --- | --- | --- | --- | --- |"]
    for item in reports():
        link = f"[{item.report}]({item.link})"
        cells = [link, *map(escape, (item.happened, item.model, item.tflm, answer(item)))]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text[: text.index(HEAD)] + table(), encoding="utf-8")


if __name__ == "__main__":
    main()
