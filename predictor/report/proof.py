"""The proof of a memory plan, for terminals."""

from __future__ import annotations

from predictor.proof.plan_proof import PlanProof
from predictor.report.layout import Block, Column, Table, words


def report(proof: PlanProof) -> list[Block]:
    """The checks as a table, and what shadow memory reports."""
    columns = (Column(), Column("check"), Column("inputs", is_right=True), Column())
    table = Table(columns, indent=1, title="proof")
    marks = {True: ("ok", "green"), False: ("FAILED", "bold red"), None: ("-", "dim")}
    for check in proof.checks:
        mark, style = marks[check.passed]
        table.add_row(words((mark, style)), check.name, f"{check.inputs:,}", check.finding)
    return [table, *(words((f"  {read}", "red")) for read in proof.stale[:10])]
