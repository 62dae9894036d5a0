"""``predict check``: many models against the budgets of a ``predictor.toml``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from predictor import toml
from predictor.cli.options import OUTPUT_PATH, format_option
from predictor.cli.output import emit, write_atomically
from predictor.errors import EXIT_DOES_NOT_FIT, EXIT_FITS, PredictorError, UsageError
from predictor.report.budgets import Budgets
from predictor.report.junit import CheckResult, junit_xml
from predictor.report.prediction import DEFAULT_BOARD, predict

_BUDGET_KEYS = ("max_arena", "max_flash", "max_macs")
_OPTION_KEYS = ("kernels", "tflm", "resolver", "reserve_ram", "reserve_flash")


@click.command(name="check", short_help="Hold models against the budgets of a predictor.toml.")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("predictor.toml"),
    show_default=True,
    help="File with a [tool.predictor.budgets] table.",
)
@click.option("--junit", type=OUTPUT_PATH, help="Also write JUnit XML to this file.")
@format_option("text", "json")
def command(config: Path, junit: Path | None, form: str) -> int:
    """Hold models against budgets.

    \b
    [tool.predictor.budgets."models/*.tflite"]
    board = "f446re"
    max_arena = "100KB"
    max_flash = "400KB"
    max_macs = "20M"

    Paths are relative to the file and may be patterns. A model must also fit its board. Exit
    code 1 if a model cannot be predicted or would fail to run, 3 if one breaks a budget.
    """
    results = [
        check_model(path, settings) for path, settings in _models(_load(config), config.parent)
    ]
    if junit is not None:
        write_atomically(junit, junit_xml(results))
    emit(_report(results, form), None)
    if any(result.error is not None for result in results):
        return PredictorError.exit_code
    return EXIT_FITS if all(result.passed for result in results) else EXIT_DOES_NOT_FIT


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
    failures: tuple[str, ...] = ()
    error = None
    try:
        budgets = Budgets.parse({key: settings.get(key) for key in _BUDGET_KEYS})
        prediction = predict(path, board, **_options(settings))
        failures = tuple(map(str, budgets.violations(prediction)))
        if not prediction.fits:
            failures = (f"does not fit {prediction.board.name}", *failures)
        if prediction.invoke_errors:
            error = f"Invoke will fail: {prediction.invoke_errors[0]}"
    except UsageError:
        raise
    except PredictorError as problem:
        error = str(problem)
    return CheckResult(str(path), str(board), failures, error, time.perf_counter() - start)


def _options(settings: Mapping[str, Any]) -> dict[str, Any]:
    from predictor.report.budgets import BYTE_UNITS, parse_quantity

    options = {key: settings[key] for key in ("kernels", "tflm", "resolver") if key in settings}
    for key in ("reserve_ram", "reserve_flash"):
        if key in settings:
            options[f"{key}_bytes"] = parse_quantity(settings[key], BYTE_UNITS, key)
    return options


def _report(results: list[CheckResult], form: str) -> str:
    if form == "json":
        from predictor.report.json_report import SCHEMA_VERSION, dumps

        rows = [
            {
                "model": result.model,
                "board": result.board,
                "passed": result.passed,
                "failures": list(result.failures),
                "error": result.error,
            }
            for result in results
        ]
        return dumps({"schema_version": SCHEMA_VERSION, "results": rows}) + "\n"
    lines = []
    for result in results:
        problems = [*result.failures, *([result.error] if result.error else [])]
        lines.append(f"{'ok  ' if result.passed else 'FAIL'} {result.model} on {result.board}")
        lines += [f"     {problem}" for problem in problems]
    passed = sum(result.passed for result in results)
    lines.append(f"{passed} of {len(results)} models pass")
    return "\n".join(lines) + "\n"
