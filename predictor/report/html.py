"""The short HTML form that notebooks show for a prediction."""

from __future__ import annotations

import os
from html import escape

from predictor.report.prediction import Prediction


def notebook_html(prediction: Prediction) -> str:
    """A table with the verdict and the figures that decide it."""
    name = os.path.basename(prediction.path) if prediction.path else "model"
    color = "#1a7f37" if prediction.fits else "#cf222e"
    verdict = "fits" if prediction.fits else "does not fit"
    rows = (
        ("SRAM", prediction.sram.total_bytes, prediction.sram.available_bytes),
        ("flash", prediction.flash_total_bytes, prediction.board.flash_bytes),
        ("arena required", prediction.arena.required_bytes, prediction.sram.largest_span_bytes),
    )
    cells = "".join(
        f"<tr><th>{label}</th><td style='text-align:right'>{needed:,}</td>"
        f"<td style='text-align:right'>{available:,}</td></tr>"
        for label, needed, available in rows
    )
    return (
        f"<div><strong style='color:{color}'>{verdict}</strong> {escape(name)} on "
        f"{escape(prediction.board.title)}"
        f"<table><tr><th></th><th>bytes needed</th><th>available</th></tr>{cells}</table></div>"
    )
