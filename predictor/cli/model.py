"""``predict MODEL``: one model on one board, or on all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from predictor.cli.options import BYTES, MACS, OUTPUT_PATH, format_option, prediction_options
from predictor.cli.output import emit, wants_color
from predictor.errors import EXIT_DOES_NOT_FIT, EXIT_FITS, PredictorError
from predictor.report.budgets import Budgets, Violation
from predictor.report.prediction import (
    DEFAULT_BOARD,
    Prediction,
    on_shipped_boards,
    predict,
)

ALL_BOARDS = "all"


@click.command(name="model", short_help="Predict one model (the default command).")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--board",
    default=DEFAULT_BOARD,
    show_default=True,
    help="Board name, path of a board's TOML file, or 'all'.",
)
@prediction_options
@format_option("text", "json", "markdown")
@click.option("--per-layer", is_flag=True, help="List every layer, not only the heaviest.")
@click.option("--output", type=OUTPUT_PATH, help="Write the report to this file.")
@click.option("--max-arena", type=BYTES, help="Fail with code 3 above this arena, e.g. 100KB.")
@click.option("--max-flash", type=BYTES, help="Fail with code 3 above this flash, e.g. 400KB.")
@click.option("--max-macs", type=MACS, help="Fail with code 3 above these MACs, e.g. 20M.")
def command(
    model: Path,
    board: str,
    form: str,
    per_layer: bool,
    output: Path | None,
    max_arena: int | None,
    max_flash: int | None,
    max_macs: int | None,
    **options: Any,
) -> int:
    """Predict whether MODEL, a .tflite file, runs on a board under TFLM, and what it takes."""
    budgets = Budgets(max_arena, max_flash, max_macs)
    try:
        first = predict(model, DEFAULT_BOARD if board == ALL_BOARDS else board, **options)
    except PredictorError as error:
        if form == "json":
            from predictor.report.json_report import dumps, error_json

            emit(dumps(error_json(error, str(model))) + "\n", output)
        raise
    violations = budgets.violations(first)
    if board == ALL_BOARDS:
        predictions = on_shipped_boards(first)
        emit(_boards_text(predictions, form, violations, output), output)
        fits = any(item.fits for item in predictions)
    else:
        emit(_report_text(first, form, per_layer, violations, output), output)
        fits = first.fits
    for violation in violations:
        click.echo(f"predict: {model}: {violation}", err=True)
    return EXIT_FITS if fits and not violations else EXIT_DOES_NOT_FIT


def _report_text(
    prediction: Prediction,
    form: str,
    per_layer: bool,
    violations: tuple[Violation, ...],
    output: Path | None,
) -> str:
    if form == "json":
        from predictor.report.json_report import dumps

        return dumps(prediction.to_json()) + "\n"
    if form == "markdown":
        from predictor.report import markdown

        return markdown.report(prediction, per_layer, violations)
    from predictor.report import text

    return text.render(
        text.report(prediction, per_layer, violations), _width(output), wants_color(output)
    )


def _boards_text(
    predictions: tuple[Prediction, ...],
    form: str,
    violations: tuple[Violation, ...],
    output: Path | None,
) -> str:
    if form == "json":
        from predictor.report.json_report import SCHEMA_VERSION, dumps

        items = [prediction.to_json() for prediction in predictions]
        return dumps({"schema_version": SCHEMA_VERSION, "predictions": items}) + "\n"
    if form == "markdown":
        from predictor.report import markdown

        return markdown.boards_table(predictions)
    from predictor.report import text

    return text.render(text.boards_table(predictions), _width(output), wants_color(output))


def _width(output: Path | None) -> int | None:
    """The terminal's width where a person reads, else the default of the report."""
    if not wants_color(output):
        return None
    from shutil import get_terminal_size

    return get_terminal_size().columns
