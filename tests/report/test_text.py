"""The report for terminals."""

from __future__ import annotations

import predictor
from predictor import ModelBuilder
from predictor.report import layout, text


def test_layers_that_nobody_reads_are_left_out() -> None:
    """Aligning tens of thousands takes longer than predicting them."""
    builder = ModelBuilder()
    tensor = builder.input((1, 4))
    for _ in range(1_003):
        tensor = builder.reshape(tensor, (1, 4))
    builder.output(tensor)
    shown = layout.render(text.report(predictor.predict(builder.build()), per_layer=True))
    assert "the first 1,000 of 1,003 layers; --format json has all" in shown
    lines = [line.split()[0] for line in shown.splitlines() if "RESHAPE" in line]
    assert {"0", "999"} <= set(lines)
    assert "1000" not in lines
