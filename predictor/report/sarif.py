"""SARIF 2.1.0 of checked models, which code hosts show beside the files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from predictor.escapes import printable
from predictor.report.check_result import RULES, CheckResult, Finding

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif_json(results: Sequence[CheckResult], folder: Path, version: str) -> str:
    """One run with one result per finding; files are named relative to ``folder`` if in it."""
    run = {
        "tool": {
            "driver": {
                "name": "mcu-predictor",
                "version": version,
                "rules": [
                    {"id": rule, "shortDescription": {"text": text}} for rule, text in RULES.items()
                ],
            }
        },
        "results": [
            _result(result, finding, folder) for result in results for finding in result.findings
        ],
        "columnKind": "unicodeCodePoints",
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _result(result: CheckResult, finding: Finding, folder: Path) -> dict[str, Any]:
    text = printable(f"{PurePath(result.model).name} on {result.board}: {finding.message}")
    return {
        "ruleId": finding.rule,
        "ruleIndex": list(RULES).index(finding.rule),
        "level": "error",
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(Path(result.model), folder)},
                    # Code hosts leave out results without a line.
                    "region": {"startLine": 1},
                }
            }
        ],
    }


def relative(path: Path, folder: Path) -> Path:
    """The path as seen from a folder that it is in, else as it is."""
    try:
        return path.resolve().relative_to(folder.resolve())
    except ValueError:
        return path


def _uri(path: Path, folder: Path) -> str:
    return quote(relative(path, folder).as_posix(), errors="surrogateescape")
