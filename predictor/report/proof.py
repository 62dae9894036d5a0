"""The proof of a memory plan, for terminals."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from predictor.proof.plan_proof import PlanProof


def report(proof: PlanProof) -> RenderableType:
    """The checks as a table, and what shadow memory reports."""
    table = Table(box=None, padding=(0, 1), title="proof", title_justify="left")
    table.title_style = "bold"
    for heading in ("", "check", "inputs", ""):
        table.add_column(heading, justify="right" if heading == "inputs" else "left")
    marks = {True: ("ok", "green"), False: ("FAILED", "bold red"), None: ("-", "dim")}
    for check in proof.checks:
        mark, style = marks[check.passed]
        table.add_row(Text(mark, style=style), check.name, f"{check.inputs:,}", check.finding)
    stale = [Text(f"  {read}", style="red") for read in proof.stale[:10]]
    return Group(table, *stale)
