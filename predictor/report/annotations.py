"""GitHub's workflow commands, which put findings beside files in a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from predictor.report.check_result import CheckResult
from predictor.report.sarif import relative


def github(results: Sequence[CheckResult], folder: Path) -> str:
    """One ``::error`` line per finding; files are named relative to ``folder`` if in it."""
    return "\n".join(
        f"::error file={_property(str(relative(Path(result.model), folder)))},"
        f"title={_property(f'{finding.rule} on {result.board}')}::{_data(finding.message)}"
        for result in results
        for finding in result.findings
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
