"""What can be said of a model that TFLM refuses, in the forms of a report."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from predictor.cost.refused_model import RefusedModel, refused_model
from predictor.errors import RefusedError
from predictor.report.layout import Block, Column, Table, words
from predictor.report.markdown import escape

_NOT_EXACT = "without what the refused operators would ask for; not exact"


def _verdict(found: RefusedModel) -> str:
    return (
        f"TFLM would prepare {found.prepared_operators:,} of its {found.operators:,} operators. "
        "Of these alone:"
    )


def _rows(found: RefusedModel) -> list[tuple[str, str, str]]:
    """(name, figure, remark)."""
    rows = []
    if found.prepared_operators:
        rows += [
            ("MACs", f"{found.macs:,}", "an inference"),
            ("other operations", f"{found.other_ops:,}", "an inference"),
            ("weights", f"{found.weight_bytes:,} B", f"of a file of {found.flatbuffer_bytes:,} B"),
        ]
    if found.planned_bytes is not None and found.persistent_bytes is not None:
        rows += [
            ("planned (head)", f"{found.planned_bytes:,} B", f"all tensors; {_NOT_EXACT}"),
            ("persistent (tail)", f"{found.persistent_bytes:,} B", _NOT_EXACT),
        ]
    return rows


def text(error: RefusedError, name: str) -> list[Block] | None:
    """The figures for the rest of the model, for terminals; None where there are none."""
    found = refused_model(error)
    if found is None:
        return None
    table = Table((Column(), Column(is_right=True), Column(style="dim")))
    for row in _rows(found):
        table.add_row(*row)
    head = words(("WILL NOT RUN", "bold red"), f"  {name}: {_verdict(found)}")
    return [head, words(), table]


def markdown(error: RefusedError, name: str) -> str:
    """The same as Markdown, empty where there are none."""
    found = refused_model(error)
    if found is None:
        return ""
    lines = [
        f"## {escape(name)} **will not run**",
        "",
        _verdict(found),
        "",
        "| figure | | |",
        "| --- | ---: | --- |",
        *(f"| {label} | {figure} | {remark} |" for label, figure, remark in _rows(found)),
        "",
        "### Refused",
        "",
        *(f"- {escape(item.words)}" for item in (error, *error.more)),
    ]
    return "\n".join(lines) + "\n"


def to_json(error: RefusedError) -> dict[str, Any] | None:
    """The figures as JSON values; sizes are bytes."""
    found = refused_model(error)
    return None if found is None else {"exact": False, **asdict(found)}
