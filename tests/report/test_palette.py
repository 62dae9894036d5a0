"""Contrasts of the colours of pages, by the formula of WCAG 2.2."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from predictor.report.html.palette import DARK, LIGHT

FILLS = ("tensor", "io", "scratch", "other")


def _luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_formula() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_text_and_marks_stand_out(colors: Mapping[str, str]) -> None:
    for ground in ("page", "surface"):
        for ink in ("text", "muted", "accent", "good", "bad", "warn", "bound"):
            assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
    for fill in FILLS:
        assert contrast(colors["text"], colors[fill]) >= 4.5, fill
        assert contrast(colors[f"{fill}-edge"], colors["surface"]) >= 3, fill
        assert contrast(colors[f"{fill}-edge"], colors["free"]) >= 3, fill
