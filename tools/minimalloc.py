"""Allocation problems in MiniMalloc's CSV form.

Columns: id, lower, upper (first step of life, and the one behind the last), size in bytes.
"""

from __future__ import annotations

import csv
from pathlib import Path

from predictor.optimization.plan_problem import PlanBuffer, PlanProblem


def read_problem(path: Path) -> PlanProblem:
    """The buffers of a file."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return PlanProblem(
        [PlanBuffer(int(r["size"]), int(r["lower"]), int(r["upper"]) - 1) for r in rows]
    )
