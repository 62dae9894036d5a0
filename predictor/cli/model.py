"""``predict MODEL``: one model on one board, or on all of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.boards.board import find_board
from predictor.cli.options import ALL_BOARDS, ALL_TFLMS, memory_options, prediction_options
from predictor.console.options import BYTES, JOULES, MACS, POSITIVE, SECONDS, format_option
from predictor.console.output import emit, terminal_width, wants_color
from predictor.console.paths import OUTPUT_PATH, FileCommand
from predictor.errors import (
    EXIT_DOES_NOT_FIT,
    EXIT_FITS,
    PredictorError,
    RefusedError,
    UsageError,
)
from predictor.model.tflite_reader import read_graph
from predictor.prediction import (
    DEFAULT_BOARD,
    Prediction,
    on_shipped_boards,
    predict,
)
from predictor.report.budgets import Budgets, Violation
from predictor.report.notes import shape_warnings
from predictor.start import say

if TYPE_CHECKING:
    from predictor.report.layout import Block

_MOST_JSON = 64_000_000
"""Characters of a JSON report on all boards."""


@click.command(cls=FileCommand, name="model", short_help="Predict one model (the default command).")
@click.argument("models", metavar="MODEL", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--board",
    default=DEFAULT_BOARD,
    show_default=True,
    help="Board name, path of a board's TOML file, or 'all'.",
)
@click.option("--shared-arena", is_flag=True, help="Several models share one arena, in this order.")
@prediction_options
@memory_options
@format_option("text", "json", "markdown")
@click.option("-q", "--quiet", is_flag=True, help="Print no report, only what breaks.")
@click.option("-v", "--verbose", is_flag=True, help="Also say what the figures rest on.")
@click.option("--strict", is_flag=True, help="Fail with code 1 where results may be wrong.")
@click.option("--per-layer", is_flag=True, help="List every layer, not only the heaviest.")
@click.option("--output", type=OUTPUT_PATH, help="Write the report to this file.")
@click.option("--max-arena", type=BYTES, help="Fail with code 3 above this arena, e.g. 100KB.")
@click.option("--max-flash", type=BYTES, help="Fail with code 3 above this flash, e.g. 400KB.")
@click.option("--max-macs", type=MACS, help="Fail with code 3 above these MACs, e.g. 20M.")
@click.option("--max-latency", type=SECONDS, help="Fail with code 3 above this time, e.g. 100ms.")
@click.option("--max-energy", type=JOULES, help="Fail with code 3 above this energy, e.g. 20mJ.")
@click.option("--fps", type=POSITIVE, help="Inferences per second, for average power.")
@click.option("--battery", "battery_j", type=JOULES, help="What the battery holds, e.g. 2.4Wh.")
@click.option(
    "--emulated",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take instructions from this trace of predict emulate --trace.",
)
def command(
    models: tuple[Path, ...],
    board: str,
    shared_arena: bool,
    form: str,
    quiet: bool,
    verbose: bool,
    strict: bool,
    per_layer: bool,
    output: Path | None,
    max_arena: int | None,
    max_flash: int | None,
    max_macs: int | None,
    max_latency: float | None,
    max_energy: float | None,
    emulated: Path | None,
    **options: Any,
) -> int:
    """Predict whether MODEL, a .tflite file, runs on a board under TFLM, and what it takes."""
    budgets = Budgets(max_arena, max_flash, max_macs, max_latency, max_energy)
    if shared_arena:
        from predictor.cli.sharing import predict_shared_arena

        if budgets != Budgets() or emulated is not None:
            raise UsageError("budgets and --emulated hold for one model")
        return predict_shared_arena(models, board, form, output, options, quiet=quiet)
    if len(models) > 1:
        raise UsageError("name one model, or --shared-arena for several in one arena")
    (model,) = models
    if options["tflm"] == ALL_TFLMS:
        if budgets != Budgets() or emulated is not None:
            raise UsageError("budgets and --emulated hold for one TFLM")
        return _under_each_tflm(model, board, form, output, options, quiet=quiet)
    try:
        first = predict(model, DEFAULT_BOARD if board == ALL_BOARDS else board, **options)
    except PredictorError as error:
        said = _error_text(error, model, form, output)
        if said and not (quiet and output is None):
            emit(said, output)
        raise
    if emulated is not None:
        from predictor.report.emulated import with_emulated_counts

        if board == ALL_BOARDS:
            raise UsageError("--emulated holds for one board")
        first = with_emulated_counts(first, emulated)
    if board == ALL_BOARDS and (options["memory"] or options["persistent_memory"]):
        raise UsageError("--memory and --persistent-memory hold for one board")
    violations = budgets.violations(first)
    is_shown = not quiet or output is not None
    if board == ALL_BOARDS:
        predictions = on_shipped_boards(first)
        if is_shown:
            emit(_boards_text(predictions, form, violations, output), output)
        fits = any(item.fits for item in predictions)
    else:
        if is_shown:
            emit(_report_text(first, form, per_layer, violations, output, verbose), output)
        fits = first.fits
    return _verdict(model, first, fits, violations, quiet=quiet, strict=strict)


def _under_each_tflm(
    model: Path, board: str, form: str, output: Path | None, options: dict[str, Any], *, quiet: bool
) -> int:
    """The model under each TFLM; which of them the board's memories hold is not asked."""
    from predictor.memory.under_tflms import under_each_tflm
    from predictor.report import tflms

    if board == ALL_BOARDS:
        raise UsageError("--tflm all holds for one board")
    if options["kernels"] is not None:
        raise UsageError("--tflm all takes the kernels that each TFLM has first, not --kernels")
    core = find_board(board).core.model
    outcomes = under_each_tflm(read_graph(model), core, options["resource_variables"])
    if not quiet or output is not None:
        forms = {
            "text": tflms.outcomes_text,
            "markdown": tflms.outcomes_markdown,
            "json": tflms.outcomes_json,
        }
        emit(forms[form](outcomes), output)
    return EXIT_FITS if any(outcome.runs for outcome in outcomes) else PredictorError.exit_code


def _verdict(
    model: Path,
    first: Prediction,
    fits: bool,
    violations: tuple[Violation, ...],
    *,
    quiet: bool,
    strict: bool,
) -> int:
    """The exit code; what is wrong goes to standard error."""
    for violation in violations:
        say(f"predict: {model}: {violation}")
    if quiet and not fits:
        say(f"predict: {model}: does not fit")
    if strict and (wrong := next(iter(shape_warnings(first)), None)) is not None:
        say(f"predict: {model}: {wrong}")
        return PredictorError.exit_code
    if first.invoke_errors:
        say(f"predict: {model}: Invoke will fail: {first.invoke_errors[0]}")
        return PredictorError.exit_code
    return EXIT_FITS if fits and not violations else EXIT_DOES_NOT_FIT


def _report_text(
    prediction: Prediction,
    form: str,
    per_layer: bool,
    violations: tuple[Violation, ...],
    output: Path | None,
    is_verbose: bool,
) -> str:
    if form == "json":
        from predictor.report.json_report import dumps

        return dumps(prediction.to_json()) + "\n"
    if form == "markdown":
        from predictor.report import markdown

        return markdown.report(prediction, per_layer, violations, is_verbose)
    from predictor.report import text

    return _laid_out(text.report(prediction, per_layer, violations, is_verbose), output)


def _error_text(error: PredictorError, model: Path, form: str, output: Path | None) -> str:
    """What a report can still say where there is no prediction; empty for nothing."""
    if form == "json":
        from predictor.report.json_report import dumps, error_json

        return dumps(error_json(error, str(model))) + "\n"
    if not isinstance(error, RefusedError):
        return ""
    from predictor.report import refusal

    if form == "markdown":
        return refusal.markdown(error, model.name)
    found = refusal.text(error, model.name)
    return "" if found is None else _laid_out(found, output)


def _boards_text(
    predictions: tuple[Prediction, ...],
    form: str,
    violations: tuple[Violation, ...],
    output: Path | None,
) -> str:
    if form == "json":
        from predictor.report.json_report import SCHEMA_VERSION, dumps

        size = len(dumps(predictions[0].to_json())) * len(predictions)
        if size > _MOST_JSON:
            raise UsageError(
                f"the JSON of {len(predictions)} boards would have {size:,} characters, as so many "
                "layers and names are in each: name one board"
            )
        items = [prediction.to_json() for prediction in predictions]
        return dumps({"schema_version": SCHEMA_VERSION, "predictions": items}) + "\n"
    if form == "markdown":
        from predictor.report import markdown

        return markdown.boards_table(predictions)
    from predictor.report import text

    return _laid_out([text.boards_table(predictions)], output)


def _laid_out(blocks: list[Block], output: Path | None) -> str:
    from predictor.report.layout import render

    return render(blocks, terminal_width(output), wants_color(output))
