"""What notebooks show: a prediction with its memories and its plan, a comparison as a table.

Colours are those of the light page on a background of their own, since notebooks run no scripts
and follow no scheme that this could know.
"""

from __future__ import annotations

import os
from html import escape

from predictor.prediction import Prediction
from predictor.report.comparison import Comparison
from predictor.report.html.palette import LIGHT
from predictor.report.html.plan import plan_of
from predictor.report.html.plan_picture import standalone_svg

MOST_BUFFERS = 2_000
"""Buffers above which the picture of the plan is left out: notebooks keep it in their file."""
_FRAME = (
    f"background:{LIGHT['surface']};color:{LIGHT['text']};padding:8px 12px;max-width:920px;"
    "overflow-x:auto"
)
_CELL = "text-align:right;padding:2px 10px;font-variant-numeric:tabular-nums"


def notebook_html(prediction: Prediction) -> str:
    """The verdict, the memories that decide it, and the picture of the memory plan."""
    name = os.path.basename(prediction.path) if prediction.path else "model"
    color = LIGHT["good" if prediction.fits else "bad"]
    verdict = "fits" if prediction.fits else "does not fit"
    rows = (
        ("SRAM", prediction.sram.total_bytes, prediction.sram.available_bytes),
        ("flash", prediction.flash_total_bytes, prediction.board.flash_bytes),
        ("arena required", prediction.arena.required_bytes, prediction.sram.largest_span_bytes),
    )
    body = "".join(_memory_row(*row) for row in rows)
    picture = ""
    if 0 < len(prediction.arena.buffers) <= MOST_BUFFERS:
        picture = standalone_svg(plan_of(prediction), "memory plan", width=900)
    return (
        f'<div style="{_FRAME}"><strong style="color:{color}">{verdict}</strong> {escape(name)} on '
        f"{escape(prediction.board.title)}<table><thead><tr><th></th>"
        f'<th style="{_CELL}">bytes needed</th><th style="{_CELL}">available</th><th></th></tr>'
        f"</thead><tbody>{body}</tbody></table>{picture}</div>"
    )


def _memory_row(label: str, needed: int, available: int) -> str:
    share = min(100.0, 100 * needed / available) if available else 100.0
    color = LIGHT["tensor-edge" if needed <= available else "bad"]
    return (
        f'<tr><th style="text-align:left">{label}</th><td style="{_CELL}">{needed:,}</td>'
        f'<td style="{_CELL}">{available:,}</td><td><div style="width:240px;height:10px;'
        f"background:linear-gradient(to right, {color} {share:.1f}%, {LIGHT['free']} 0)"
        '"></div></td></tr>'
    )


def comparison_html(comparison: Comparison) -> str:
    """The figures side by side, those that differ first."""
    from predictor.report.comparison_forms import delta_words

    labels = [escape(item.label) for item in comparison.subjects]
    head = f'<th style="{_CELL}">{labels[0]}</th>' + "".join(
        f'<th style="{_CELL}">{label}</th><th style="{_CELL}">difference</th>'
        for label in labels[1:]
    )
    rows = "".join(
        f'<tr><th style="text-align:left">{row.name}</th>'
        f'<td style="{_CELL}">{row.values[0]:,}</td>'
        + "".join(
            f'<td style="{_CELL}">{value:,}</td><td style="{_CELL}">{delta_words(row, index)}</td>'
            for index, value in enumerate(row.values[1:])
        )
        + "</tr>"
        for row in comparison.figures
    )
    return (
        f'<div style="{_FRAME}"><table><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
