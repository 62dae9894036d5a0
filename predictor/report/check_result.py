"""The outcome of a model held against its budgets, and its plain forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from predictor.records import dataclass
from predictor.report.budgets import BUDGETS, rule_of
from predictor.report.cost_text import macs_words
from predictor.report.markdown import escape

if TYPE_CHECKING:
    from predictor.prediction import Prediction

RULES = {
    "error": "The model can be predicted and runs",
    "does-not-fit": "The model fits its board",
    **{rule_of(name): budget.rule for name, budget in BUDGETS.items()},
    "max-regression": "No figure grows by more than its budget over the base",
}
"""What is checked, by the name of the rule."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that makes a check fail; ``rule`` is one of ``RULES``."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One model held against its budgets.

    ``failures`` are broken budgets or a model that does not fit; ``error`` says why there is no
    prediction at all, or why it cannot run. ``prediction`` is None where there is none.
    """

    model: str
    board: str
    failures: tuple[Finding, ...] = ()
    error: str | None = None
    seconds: float = 0.0
    prediction: Prediction | None = None

    @property
    def passed(self) -> bool:
        return not self.failures and self.error is None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Failures and the error, if any."""
        return (*self.failures, *([Finding("error", self.error)] if self.error else []))


def text(results: Sequence[CheckResult]) -> str:
    """For terminals."""
    lines = []
    for (model, *messages), boards in _folded(results).items():
        where = ", ".join(boards)
        of_many = f" ({len(boards)} boards)" if len(boards) > 1 else ""
        lines.append(f"{'FAIL' if messages else 'ok  '} {model} on {where}{of_many}")
        lines += [f"     {message}" for message in messages]
    return "\n".join([*lines, _sum(results)]) + "\n"


def _folded(results: Sequence[CheckResult]) -> dict[tuple[str, ...], list[str]]:
    """Boards by model and what is wrong there: boards on which a model fares alike share a line."""
    found: dict[tuple[str, ...], list[str]] = {}
    for result in results:
        messages = (finding.message for finding in result.findings)
        found.setdefault((result.model, *messages), []).append(result.board)
    return found


def _sum(results: Sequence[CheckResult]) -> str:
    passed = sum(result.passed for result in results)
    return f"{passed} of {len(results)} models pass"


def markdown(results: Sequence[CheckResult]) -> str:
    """A table for job summaries."""
    lines = [
        f"## {_sum(results)}",
        "",
        "| model | board | verdict | arena | flash | MACs |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    for result in results:
        findings = "<br>".join(escape(finding.message) for finding in result.findings)
        verdict = "pass" if result.passed else f"**fail**: {findings}"
        figures = "| | |"
        if result.prediction is not None:
            found = result.prediction
            figures = (
                f"{found.arena.required_bytes:,} | {found.flash_total_bytes:,} | "
                f"{macs_words(found)} |"
            )
        lines.append(f"| {escape(result.model)} | {escape(result.board)} | {verdict} | {figures}")
    return "\n".join(lines) + "\n"


def to_json(results: Sequence[CheckResult]) -> str:
    """All results as JSON."""
    from predictor.report.json_report import SCHEMA_VERSION, dumps

    rows = [
        {
            "model": result.model,
            "board": result.board,
            "passed": result.passed,
            "failures": [finding.message for finding in result.failures],
            "error": result.error,
        }
        for result in results
    ]
    return dumps({"schema_version": SCHEMA_VERSION, "results": rows}) + "\n"
