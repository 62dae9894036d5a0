"""``predict check``: many models against the budgets of a ``predictor.toml``."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from predictor.cli.budget_file import Settings, read_budgets
from predictor.cli.options import max_regression_option
from predictor.console.options import format_option, predicted_tflm
from predictor.console.output import emit, emit_text, terminal_width
from predictor.console.paths import OUTPUT_PATH, FileCommand, refuse_overwriting
from predictor.errors import EXIT_DOES_NOT_FIT, EXIT_FITS, PredictorError, UsageError
from predictor.files import write_file
from predictor.prediction import predict
from predictor.records import dataclass
from predictor.report.check_result import CheckResult, Finding, markdown, text, to_json
from predictor.report.comparison import Comparison, compare, parse_regressions, subject
from predictor.report.json_report import figures_json
from predictor.report.markdown import escape
from predictor.start import say


@click.command(
    cls=FileCommand, name="check", short_help="Hold models against the budgets of a predictor.toml."
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("predictor.toml"),
    show_default=True,
    help="File with a [tool.predictor.budgets] table.",
)
@click.option("--junit", type=OUTPUT_PATH, help="Also write JUnit XML to this file.")
@click.option("--sarif", type=OUTPUT_PATH, help="Also write SARIF 2.1.0 to this file.")
@click.option(
    "--annotations",
    type=click.Choice(["github"]),
    help="Also write annotations for this code host to standard error.",
)
@click.option(
    "--base",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Also compare with the models at the same paths under this folder.",
)
@max_regression_option
@format_option("text", "json", "markdown")
def command(
    config: Path,
    junit: Path | None,
    sarif: Path | None,
    annotations: str | None,
    base: Path | None,
    regressions: tuple[str, ...],
    form: str,
) -> int:
    """Hold models against budgets.

    \b
    [tool.predictor.budgets."models/*.tflite"]
    board = ["f446re", "my_board.toml"]
    max_arena = "100KB"
    max_flash = "400KB"
    max_macs = "20M"
    max_latency = "100ms"
    max_energy = "20mJ"

    Paths are relative to the file, and those of models may be patterns. A model must also fit its
    board, or each of several. Exit code 1 if a model cannot be predicted or would fail to run, 3
    if one breaks a budget.
    """
    if base is None and regressions:
        raise UsageError("--max-regression needs --base, the folder to compare with")
    if base is not None and form == "json":
        raise UsageError("--base has no JSON form; use predict compare OLD NEW --format json")
    limits = parse_regressions(regressions)
    wanted = _of_users_tflm(read_budgets(config))
    refuse_overwriting({"--junit": junit, "--sarif": sarif}, _files(wanted))
    checked = [
        Checked(path, settings, board, check_model(path, board, settings))
        for path, settings in wanted
        for board in settings.boards
    ]
    comparisons = [] if base is None else _compare(checked, config.parent, base, limits)
    results = [item.result for item in checked]
    _write_files(results, junit, sarif)
    forms = {"text": text, "json": to_json, "markdown": markdown}
    (emit_text if form == "text" else emit)(forms[form](results), None)
    if annotations is not None:
        from predictor.report.annotations import github

        if found := github(results, Path.cwd()):
            say(found)
    _show(comparisons, form)
    if any(result.error is not None for result in results):
        return PredictorError.exit_code
    return EXIT_FITS if all(result.passed for result in results) else EXIT_DOES_NOT_FIT


def _of_users_tflm(wanted: list[tuple[Path, Settings]]) -> list[tuple[Path, Settings]]:
    """With the TFLM that is registered, where the settings name no other revision."""
    revisions = {settings.options.get("tflm") for _, settings in wanted}
    found = {revision: predicted_tflm(revision, None) for revision in revisions}
    return [
        (
            path,
            replace(settings, options={**settings.options, **found[settings.options.get("tflm")]}),
        )
        for path, settings in wanted
    ]


def _files(wanted: list[tuple[Path, Settings]]) -> list[Path]:
    """Models and boards, as far as these are files."""
    found: list[str | Path] = [path for path, _ in wanted]
    found += [board for _, settings in wanted for board in settings.boards]
    return list(map(Path, found))


@dataclass(slots=True)
class Checked:
    """A model, what it is held against on a board, and what came out."""

    path: Path
    settings: Settings
    board: str
    result: CheckResult


def _write_files(results: list[CheckResult], junit: Path | None, sarif: Path | None) -> None:
    if junit is not None:
        from predictor.report.junit import junit_xml

        write_file(junit, junit_xml(results))
    if sarif is not None:
        from importlib.metadata import version

        from predictor.report.sarif import sarif_json

        write_file(sarif, sarif_json(results, Path.cwd(), version("mcu-predictor")))


def _compare(
    checked: list[Checked], folder: Path, base: Path, limits: Mapping[str, float]
) -> list[tuple[str, Comparison]]:
    """What differs from models under ``base``; figures that grew too much become findings.

    Models that one side lacks, or that cannot be predicted there, have nothing to compare with.
    """
    found = []
    for item in checked:
        before = base / os.path.relpath(item.path, folder)
        if item.result.prediction is None or not before.is_file():
            continue
        old = check_model(before, item.board, item.settings).prediction
        if old is None:
            continue
        sides = [("base", old), (item.path.name, item.result.prediction)]
        compared = compare([subject(label, figures_json(side)) for label, side in sides], limits)
        grown = (Finding("max-regression", str(regression)) for regression in compared.regressions)
        item.result = replace(item.result, failures=(*item.result.failures, *grown))
        found.append((f"{item.path.name} on {item.result.board}", compared))
    return found


def _show(comparisons: list[tuple[str, Comparison]], form: str) -> None:
    from predictor.report import comparison_forms

    for name, found in comparisons:
        if form == "markdown":
            emit(f"\n### {escape(name)}\n\n{comparison_forms.markdown(found)}", None)
        else:
            emit_text(f"\n{comparison_forms.text(found, terminal_width(None))}")


def check_model(path: Path, board: str, settings: Settings) -> CheckResult:
    """Predicts one model on a board and holds it against its settings."""
    start = time.perf_counter()
    failures: tuple[Finding, ...] = ()
    error = prediction = None
    try:
        prediction = predict(path, board, **settings.options)
        failures = tuple(
            Finding(violation.budget, str(violation))
            for violation in settings.budgets.violations(prediction)
        )
        if not prediction.fits:
            no_room = Finding("does-not-fit", "does not fit")
            failures = (no_room, *failures)
        if prediction.invoke_errors:
            error = f"Invoke will fail: {prediction.invoke_errors[0]}"
    except UsageError:
        raise
    except PredictorError as problem:
        error = str(problem)
    seconds = time.perf_counter() - start
    return CheckResult(str(path), board, failures, error, seconds, prediction)
