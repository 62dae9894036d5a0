"""``predict check``: many models against the budgets of a ``predictor.toml``."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from predictor import toml
from predictor.cli.options import OUTPUT_PATH, format_option, max_regression_option
from predictor.cli.output import emit, write_atomically
from predictor.errors import EXIT_DOES_NOT_FIT, EXIT_FITS, PredictorError, UsageError
from predictor.prediction import DEFAULT_BOARD, predict
from predictor.report.budgets import Budgets
from predictor.report.check_result import CheckResult, Finding, markdown, text, to_json
from predictor.report.comparison import parse_regressions
from predictor.report.markdown import escape

_BUDGET_KEYS = ("max_arena", "max_flash", "max_macs", "max_latency", "max_energy")
_OPTION_KEYS = ("kernels", "tflm", "resolver", "calibration", "reserve_ram", "reserve_flash")


@click.command(name="check", short_help="Hold models against the budgets of a predictor.toml.")
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
    board = "f446re"
    max_arena = "100KB"
    max_flash = "400KB"
    max_macs = "20M"
    max_latency = "100ms"
    max_energy = "20mJ"

    Paths are relative to the file and may be patterns. A model must also fit its board. Exit
    code 1 if a model cannot be predicted or would fail to run, 3 if one breaks a budget.
    """
    if base is None and regressions:
        raise UsageError("--max-regression needs --base, the folder to compare with")
    if base is not None and form == "json":
        raise UsageError("--base has no JSON form; use predict compare OLD NEW --format json")
    limits = parse_regressions(regressions)
    checked = [
        (check_model(path, settings), path, settings)
        for path, settings in _models(_load(config), config.parent)
    ]
    results = [result for result, _, _ in checked]
    _write_files(results, junit, sarif)
    forms = {"text": text, "json": to_json, "markdown": markdown}
    emit(forms[form](results), None)
    if annotations is not None:
        from predictor.report.annotations import github

        click.echo(github(results, Path.cwd()), nl=False, err=True)
    has_regressed = base is not None and _compare(checked, config.parent, base, limits, form)
    if any(result.error is not None for result in results):
        return PredictorError.exit_code
    passed = all(result.passed for result in results) and not has_regressed
    return EXIT_FITS if passed else EXIT_DOES_NOT_FIT


def _write_files(results: list[CheckResult], junit: Path | None, sarif: Path | None) -> None:
    if junit is not None:
        from predictor.report.junit import junit_xml

        write_atomically(junit, junit_xml(results))
    if sarif is not None:
        from importlib.metadata import version

        from predictor.report.sarif import sarif_json

        write_atomically(sarif, sarif_json(results, Path.cwd(), version("mcu-predictor")))


def _compare(
    checked: list[tuple[CheckResult, Path, Mapping[str, Any]]],
    folder: Path,
    base: Path,
    limits: Mapping[str, float],
    form: str,
) -> bool:
    """Shows what differs from models under ``base``; says whether a budget of it is exceeded.

    Models that one side lacks, or that cannot be predicted there, have nothing to compare with.
    """
    from predictor.report import comparison_forms
    from predictor.report.comparison import compare, subject

    has_regressed = False
    for result, path, settings in checked:
        before = base / os.path.relpath(path, folder)
        old = check_model(before, settings).prediction if before.is_file() else None
        if result.prediction is None or old is None:
            continue
        sides = [("base", old), (path.name, result.prediction)]
        found = compare([subject(label, side.to_json()) for label, side in sides], limits)
        has_regressed |= bool(found.regressions)
        if form == "markdown":
            emit(f"\n### {escape(path.name)}\n\n{comparison_forms.markdown(found)}", None)
        else:
            emit(f"\n{comparison_forms.text(found)}", None)
    return has_regressed


def _load(config: Path) -> Mapping[str, Any]:
    """The budgets table: model patterns with their settings."""
    try:
        with config.open("rb") as file:
            table: Any = toml.load(file)
    except FileNotFoundError:
        raise UsageError(f"no such file: {config}; name one with --config") from None
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{config}: not valid TOML: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot read {config}: {error.strerror}") from error
    for key in ("tool", "predictor", "budgets"):
        table = table.get(key) if isinstance(table, dict) else None
    if not isinstance(table, dict) or not table:
        raise UsageError(f"{config}: the table [tool.predictor.budgets] is missing or empty")
    for pattern, settings in table.items():
        if not isinstance(settings, dict):
            raise UsageError(f"{config}: budgets of {pattern!r} must be a table")
        known = ("board", *_BUDGET_KEYS, *_OPTION_KEYS)
        for key in settings:
            if key not in known:
                raise UsageError(
                    f"{config}: unknown key {key!r} for {pattern!r}; known: {', '.join(known)}"
                )
    return table


def _models(table: Mapping[str, Any], folder: Path) -> list[tuple[Path, Mapping[str, Any]]]:
    found = []
    for pattern, settings in table.items():
        paths = sorted(folder.glob(pattern)) if "*" in pattern or "?" in pattern else []
        found += [(path, settings) for path in paths or [folder / pattern]]
    return found


def check_model(path: Path, settings: Mapping[str, Any]) -> CheckResult:
    """Predicts one model and holds it against its settings."""
    start = time.perf_counter()
    board = settings.get("board", DEFAULT_BOARD)
    failures: tuple[Finding, ...] = ()
    error = prediction = None
    try:
        budgets = Budgets.parse({key: settings.get(key) for key in _BUDGET_KEYS})
        prediction = predict(path, board, **_options(settings))
        failures = tuple(
            Finding(violation.budget, str(violation))
            for violation in budgets.violations(prediction)
        )
        if not prediction.fits:
            no_room = Finding("does-not-fit", f"does not fit {prediction.board.name}")
            failures = (no_room, *failures)
        if prediction.invoke_errors:
            error = f"Invoke will fail: {prediction.invoke_errors[0]}"
    except UsageError:
        raise
    except PredictorError as problem:
        error = str(problem)
    seconds = time.perf_counter() - start
    return CheckResult(str(path), str(board), failures, error, seconds, prediction)


def _options(settings: Mapping[str, Any]) -> dict[str, Any]:
    from predictor.report.budgets import BYTE_UNITS, parse_quantity

    names = ("kernels", "tflm", "resolver", "calibration")
    options = {key: settings[key] for key in names if key in settings}
    for key in ("reserve_ram", "reserve_flash"):
        if key in settings:
            options[f"{key}_bytes"] = parse_quantity(settings[key], BYTE_UNITS, key)
    return options
