"""Models that share an arena, as text, Markdown and JSON."""

from __future__ import annotations

import os
from typing import Any

from predictor.prediction import Prediction
from predictor.report.cost_text import quantity
from predictor.report.json_report import SCHEMA_VERSION, dumps, flash_json, sram_json
from predictor.report.layout import Block, Column, Table, right, words
from predictor.report.markdown import escape
from predictor.report.text import bars
from predictor.sharing import Sharing

_FIGURES = ("arena alone B", "planned B", "adds B", "latency")
_ORDER = (
    "allocate the models in this order, and give each its inputs before it runs: "
    "what another has planned lies in the same bytes"
)


def text(sharing: Sharing) -> list[Block]:
    """The whole report for terminals."""
    board, revision = sharing.board, sharing.predictions[0].revision
    word, style = ("FITS", "bold green") if sharing.fits else ("DOES NOT FIT", "bold red")
    names = " + ".join(name(prediction) for prediction in sharing.predictions)
    return [
        words((word, style), f"  {names} on {board.title}, in one arena"),
        words((f"TFLM {revision.name}, {revision.kernels} kernels", "dim")),
        words(),
        bars(sharing),
        words(),
        _arena(sharing),
        words(),
        _models(sharing),
        words(),
        words(("note  ", "dim"), _ORDER),
        *(
            words(("note  ", "dim"), f"{name(prediction)}: {note}")
            for prediction in sharing.predictions
            for note in prediction.notes
        ),
    ]


def name(prediction: Prediction) -> str:
    """What a report calls a model."""
    return os.path.basename(prediction.path) if prediction.path else "model"


def _arena(sharing: Sharing) -> Table:
    arena = sharing.arena
    table = Table((Column(), Column(is_right=True), Column(style="dim")))
    table.add_row(
        words(("arena to set aside", "bold")),
        words((f"{arena.required_bytes:,} B", "bold")),
        f"{'exact' if sharing.exact else 'bound, see notes'}; the smallest with which "
        f"AllocateTensors succeeds for one after the other; {sharing.apart_bytes:,} B apart",
    )
    table.add_row("arena_used_bytes()", f"{arena.used_bytes:,} B", "what TFLM reports at last")
    table.add_row("  planned (head)", f"{arena.nonpersistent_bytes:,} B", "the highest plan")
    table.add_row("  persistent (tail)", f"{arena.persistent_bytes:,} B", "of all together")
    return table


def _rows(sharing: Sharing) -> list[tuple[str, ...]]:
    return [
        (
            name(prediction),
            f"{prediction.arena.required_bytes:,}",
            f"{prediction.arena.nonpersistent_bytes:,}",
            f"{tail:,}",
            quantity(prediction.latency.seconds, "s"),
        )
        for prediction, tail in zip(sharing.predictions, sharing.arena.tails, strict=True)
    ]


def _models(sharing: Sharing) -> Table:
    table = Table((Column("model", "bold"), *right(*_FIGURES)))
    for row in _rows(sharing):
        table.add_row(*row)
    return table


def markdown(sharing: Sharing) -> str:
    """The same as a table with the verdict above."""
    verdict = "fits" if sharing.fits else "**does not fit**"
    lines = [
        f"{len(sharing.predictions)} models in one arena of {sharing.arena.required_bytes:,} B "
        f"on {escape(sharing.board.title)}: {verdict}",
        "",
        f"| model | {' | '.join(_FIGURES)} |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(f"| {escape(row[0])} | {' | '.join(row[1:])} |" for row in _rows(sharing)),
    ]
    return "\n".join(lines) + "\n"


def to_json(sharing: Sharing) -> str:
    """The same as JSON, by the schema of predictions."""
    return dumps(sharing_json(sharing)) + "\n"


def sharing_json(sharing: Sharing) -> dict[str, Any]:
    """As JSON values; all sizes are bytes."""
    arena = sharing.arena
    return {
        "schema_version": SCHEMA_VERSION,
        "shared_arena": {
            "required_bytes": arena.required_bytes,
            "used_bytes": arena.used_bytes,
            "nonpersistent_bytes": arena.nonpersistent_bytes,
            "persistent_bytes": arena.persistent_bytes,
            "persistent_by_model": list(arena.tails),
            "apart_bytes": sharing.apart_bytes,
            "exact": sharing.exact,
        },
        "flash": flash_json(sharing),
        "sram": sram_json(sharing.sram),
        "fits": sharing.fits,
        "predictions": [prediction.to_json() for prediction in sharing.predictions],
    }
