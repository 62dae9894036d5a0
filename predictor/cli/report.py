"""``predict report``: a page, or a picture of the memory plan, to look at and to share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.boards.board import Board, find_board
from predictor.cli.options import CALIBRATED_BOARDS, boards_of, prediction_options
from predictor.console.options import format_option
from predictor.console.output import emit
from predictor.console.paths import OUTPUT_PATH, FileCommand
from predictor.errors import (
    EXIT_DOES_NOT_FIT,
    EXIT_FITS,
    MissingDependencyError,
    ModelError,
    PredictorError,
    UsageError,
)
from predictor.files import write_file
from predictor.install import install_command
from predictor.prediction import Prediction, on_boards, predict, predict_graph
from predictor.start import say

if TYPE_CHECKING:
    from predictor.report.html.page import ModelReport


@click.command(
    cls=FileCommand,
    name="report",
    short_help="Write a page with verdicts, memory plans and layers.",
)
@click.argument(
    "models", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MODEL..."
)
@click.option(
    "--board",
    "boards",
    multiple=True,
    default=[CALIBRATED_BOARDS],
    show_default=True,
    help="Board name, path of a board's TOML file, 'all', or 'calibrated': those whose times were "
    "measured; may be repeated.",
)
@prediction_options
@click.option(
    "--optimize",
    "with_optimized",
    is_flag=True,
    help="Also draw the plan that predict optimize finds, beside TFLM's.",
)
@format_option("html", "svg", "png", "model-explorer")
@click.option(
    "-o",
    "--output",
    type=OUTPUT_PATH,
    help="Write to this file, not to standard output.",
)
def command(
    models: tuple[Path, ...],
    boards: tuple[str, ...],
    with_optimized: bool,
    form: str,
    output: Path | None,
    **options: Any,
) -> int:
    """Write a self-contained HTML page about MODELs on boards.

    \b
    predict report model.tflite -o report.html
    predict report model.tflite --format svg -o plan.svg     the memory plan alone
    predict report a.tflite b.tflite --board f446re -o report.html
    predict report model.tflite --format model-explorer -o latency.json

    Exit code 1 if a model cannot be predicted (the page says why), 3 if one fits no board.
    """
    if form != "html" and len(models) > 1:
        raise UsageError(f"--format {form} draws one model; name one, or use --format html")
    if form == "png" and output is None:
        raise UsageError("--format png needs a file to write to: add -o plan.png")
    chosen = _boards(boards)
    reports = [_predict(path, chosen, options, with_optimized) for path in models]
    if form == "html":
        from predictor.cli.command_line import command_line
        from predictor.report.html.page import render

        emit(render(reports, command_line()), output)
    else:
        _draw(reports[0], form, output)
    for report in reports:
        if report.error is not None:
            say(f"predict: {report.name}: {report.error}")
    if any(report.error for report in reports):
        return PredictorError.exit_code
    return EXIT_FITS if all(report.fits_somewhere for report in reports) else EXIT_DOES_NOT_FIT


def _boards(names: tuple[str, ...]) -> list[Board]:
    """The boards in the order given, each once."""
    found: list[Board] = []
    for name in names:
        named = boards_of(name) or (find_board(name),)
        found += [board for board in named if board not in found]
    return found


def _predict(
    path: Path, boards: list[Board], options: dict[str, Any], with_optimized: bool
) -> ModelReport:
    from predictor.report.html.page import ModelReport
    from predictor.report.html.plan import has_offline_plan

    try:
        first = predict(path, boards[0], **options)
        return ModelReport(
            str(path),
            on_boards(first, boards),
            greedy=_greedy(first) if has_offline_plan(first) else None,
            optimized=_optimized(first, options) if with_optimized else None,
        )
    except ModelError as error:
        return ModelReport(str(path), error=error)


def _greedy(prediction: Prediction) -> Prediction:
    """The model without the plan that its file brings."""
    from predictor.optimization.offline_plan import without_plan

    return predict_graph(
        without_plan(prediction.graph), prediction.board, prediction.options, prediction.path
    )


def _optimized(prediction: Prediction, options: dict[str, Any]) -> Prediction:
    from predictor.optimization.optimization import optimize_model

    found = optimize_model(prediction.content or b"", prediction.board, **options)
    if found.optimized.is_interrupted:
        raise KeyboardInterrupt  # a page without the best plan would say that there is none better
    return found.after


def _draw(report: ModelReport, form: str, output: Path | None) -> None:
    from predictor.report.html.plan import plan_of
    from predictor.report.html.plan_picture import standalone_svg

    if report.error is not None:
        return
    if form == "model-explorer":
        from predictor.report.model_explorer import model_explorer

        emit(model_explorer(report.predictions[0]), output)
        return
    heading = f"{Path(report.name).name}: memory plan under TFLM"
    svg = standalone_svg(plan_of(report.predictions[0]), heading)
    if form == "svg" or output is None:
        emit(svg, output)
        return
    try:
        from cairosvg import svg2png
    except (ImportError, OSError) as error:
        raise MissingDependencyError(
            f"PNG pictures need CairoSVG and the cairo library: {install_command('png')}, on "
            f"Debian also apt-get install libcairo2; --format svg needs neither ({error})"
        ) from error
    write_file(output, svg2png(bytestring=svg.encode(), scale=2))
