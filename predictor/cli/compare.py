"""``predict compare``: models, boards, kernel sets and saved reports side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from predictor.boards.board import find_board
from predictor.cli.options import max_regression_option, prediction_options
from predictor.console.options import format_option
from predictor.console.output import emit, emit_text, terminal_width
from predictor.console.paths import OUTPUT_PATH, FileCommand
from predictor.errors import EXIT_DOES_NOT_FIT, EXIT_FITS, ModelError, UsageError
from predictor.prediction import DEFAULT_BOARD, on_board, predict
from predictor.report.comparison import (
    Comparison,
    Subject,
    compare,
    parse_regressions,
    subject,
)
from predictor.report.json_report import figures_json
from predictor.start import say


@click.command(
    cls=FileCommand,
    name="compare",
    short_help="Show what differs between models, boards or kernels.",
)
@click.argument("subjects", nargs=-1, required=True, metavar="A [B]...")
@click.option("--board", "boards", multiple=True, help="Board; given twice, compares boards.")
@prediction_options
@format_option("text", "markdown", "json", "html")
@click.option("-o", "--output", type=OUTPUT_PATH, help="Write to this file.")
@max_regression_option
def command(
    subjects: tuple[str, ...],
    boards: tuple[str, ...],
    form: str,
    output: Path | None,
    regressions: tuple[str, ...],
    **options: Any,
) -> int:
    """Show what differs from A: in other models, on other boards, with other kernels.

    \b
    predict compare old.tflite new.tflite --max-regression arena=2%
    predict compare model.tflite --board f446re --board f746zg
    predict compare model.tflite@f446re other.tflite@f746zg
    predict compare model.tflite --kernels cmsis_nn,reference
    predict compare saved.json model.tflite
    """
    limits = parse_regressions(regressions)
    options["kernels"] = (options["kernels"] or "").split(",")
    found = [item for text in subjects for item in _subjects(text, boards, options)]
    comparison = compare(_with_places(found), limits)
    (emit_text if form == "text" else emit)(_form(comparison, form, output), output)
    for regression in comparison.regressions:
        say(f"predict: {regression}")
    return EXIT_DOES_NOT_FIT if comparison.regressions else EXIT_FITS


Found = tuple[Path, str, Any]
"""A file, what is assumed beside it in words, and the prediction's JSON form."""


def _with_places(found: list[Found]) -> list[Subject]:
    """Subjects that are called by their file's name, or by its path where names are the same."""
    names = {path.name for path, _, _ in found}
    is_clear = len(names) == len({path for path, _, _ in found})
    return [
        subject(f"{path.name if is_clear else path} {words}", data) for path, words, data in found
    ]


def _form(comparison: Comparison, form: str, output: Path | None) -> str:
    from predictor.report import comparison_forms as forms

    if form == "html":
        from predictor.cli.command_line import command_line

        return forms.html(comparison, command_line())
    if form == "text":
        return forms.text(comparison, terminal_width(output))
    return (forms.markdown if form == "markdown" else forms.to_json)(comparison)


def _subjects(text: str, boards: tuple[str, ...], options: Mapping[str, Any]) -> list[Found]:
    """What MODEL, MODEL@BOARD, REPORT.json or REPORT.json@BOARD stands for."""
    name, _, board = text.rpartition("@")
    if not name or Path(text).exists():
        name, board = text, ""
    path, wanted = Path(name), (board,) if board else boards
    if path.suffix == ".json":
        return _saved(path, wanted)
    chosen = [find_board(name) for name in wanted or (DEFAULT_BOARD,)]
    firsts = [
        (kernels, predict(path, chosen[0], **{**options, "kernels": kernels or None}))
        for kernels in options["kernels"]
    ]
    found = []
    for each in chosen:
        for kernels, first in firsts:
            prediction = on_board(first, each)
            words = f"on {prediction.board.name}"
            if kernels:
                words += f" with {kernels} kernels"
            found.append((path, words, figures_json(prediction)))
    return found


def _saved(path: Path, boards: tuple[str, ...]) -> list[Found]:
    """The predictions of a saved JSON report, of the boards that are asked for if any are.

    Raises:
        ModelError: unreadable, no JSON report, or a report of an error.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        if "error" in content:
            raise ModelError(f"{path}: holds no prediction: {content['error']['message']}")
        rows = content.get("predictions", [content])
        by_board = {row["board"]["name"]: row for row in rows}
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{path}: not a JSON report; write one with predict MODEL --format json"
        ) from error
    for board in boards:
        if board not in by_board:
            raise UsageError(f"{path}: no prediction for {board}; it has {', '.join(by_board)}")
    return [(path, f"on {name}", by_board[name]) for name in boards or by_board]
