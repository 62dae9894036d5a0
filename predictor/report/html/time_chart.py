"""The time of each layer as bars, in the frame and with the steps of the memory plan's picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from predictor.cost.instructions import Basis
from predictor.escapes import xml_text
from predictor.report.html.layers import LayerRow
from predictor.report.html.plan import MOST_SHOWN
from predictor.report.html.plan_picture import AXIS_WIDTH, DENSE_STEPS, round_step, short
from predictor.report.units import time_unit, time_words

PLOT_HEIGHT, TOP, BOTTOM = 160, 12, 40
_CLASSES = {
    Basis.MODEL: "t",
    Basis.OTHER_CORE: "t",
    Basis.OTHER_REVISION: "t",
    Basis.PROXY: "s",
    Basis.EMULATED: "i",
}
_KINDS = {
    Basis.EMULATED: ("io", "instructions counted in emulation"),
    Basis.MODEL: ("tensor", "instructions from the loops of the kernel"),
    Basis.OTHER_CORE: ("tensor", "instructions from the loops of the kernel, as of another core"),
    Basis.OTHER_REVISION: ("tensor", "instructions from the loops of a newer TFLM's kernel"),
    Basis.PROXY: ("scratch", "instructions by a proxy"),
}


def kinds(rows: Sequence[LayerRow]) -> list[tuple[str, str]]:
    """Colours of the bars with what they stand for."""
    used = {row.work.basis for row in rows}
    return [kind for basis, kind in _KINDS.items() if basis in used]


def time_chart(rows: Sequence[LayerRow], board: str, identifier: str) -> str:
    """The chart for a page, which styles it. ``identifier`` must be unique on the page."""
    longest = max(row.seconds for row in rows) or 1.0
    whole = sum(row.seconds for row in rows) or 1.0
    shown = rows[:MOST_SHOWN]
    more = f", the first of {len(rows):,}" if len(shown) < len(rows) else ""
    height = TOP + PLOT_HEIGHT + BOTTOM
    title, description = f"{identifier}-title", f"{identifier}-desc"
    heaviest = max(rows, key=lambda row: row.seconds)
    words = (
        f"One bar for each of {len(shown):,} layers{more}. The longest takes "
        f"{time_words(heaviest.seconds)}: layer {heaviest.layer.index}, {heaviest.layer.operator}."
    )
    dense = " dense" if len(shown) > DENSE_STEPS else ""
    return (
        f'<svg class="plan axis" aria-hidden="true" width="{AXIS_WIDTH}" height="{height}">'
        f"{''.join(_axis(longest))}</svg>"
        f'<svg class="plan" id="{identifier}" role="group" width="100%" height="{height}" '
        f'aria-labelledby="{title}" aria-describedby="{description}">'
        f'<title id="{title}">Time per layer on {xml_text(board)}</title>'
        f'<desc id="{description}">{xml_text(words)}</desc>{"".join(_grid(shown, longest))}'
        f'<g class="blocks{dense}">{"".join(_bars(shown, longest, whole))}</g></svg>'
    )


def _levels(longest: float) -> Iterator[tuple[float, str]]:
    """Heights in pixels of the lines across, with their words."""
    size, name = time_unit(longest)
    # Whole hundredths of the unit, since steps are whole numbers.
    step = round_step(int(100 * longest / size) + 1, most=5) / 100
    count = int(longest / size / step)
    for line in range(count + 1):
        value = line * step
        words = f"{value:g} {name}" if value else "0"
        yield TOP + PLOT_HEIGHT * (1 - value * size / longest), words


def _axis(longest: float) -> Iterator[str]:
    for y, words in _levels(longest):
        yield (
            f'<text class="muted" x="{AXIS_WIDTH - 6}" y="{short(y + 4)}" '
            f'text-anchor="end">{words}</text>'
        )


def _grid(rows: Sequence[LayerRow], longest: float) -> Iterator[str]:
    yield "<g aria-hidden='true'>"
    for y, _ in _levels(longest):
        yield f'<line class="grid" x1="0" x2="100%" y1="{short(y)}" y2="{short(y)}"/>'
    for index in range(0, len(rows), round_step(len(rows))):
        yield (
            f'<text class="muted" x="{short(100 * (index + 0.5) / len(rows))}%" '
            f'y="{TOP + PLOT_HEIGHT + 14}" text-anchor="middle">{rows[index].layer.index}</text>'
        )
    yield f'<text class="muted" x="0" y="{TOP + PLOT_HEIGHT + 32}">layer</text></g>'


def _bars(rows: Sequence[LayerRow], longest: float, whole: float) -> Iterator[str]:
    width = 100 / len(rows)
    gap = 0 if len(rows) > DENSE_STEPS else width / 8
    for index, row in enumerate(rows):
        height = PLOT_HEIGHT * row.seconds / longest
        layer = row.layer
        yield (
            f'<rect class="{_CLASSES[row.work.basis]}" role="img" '
            f'tabindex="{0 if index == 0 else -1}" x="{short(index * width + gap)}%" '
            f'y="{short(TOP + PLOT_HEIGHT - height)}" width="{short(width - 2 * gap)}%" '
            f'height="{short(height)}"><title>{layer.index} {xml_text(layer.operator)}: '
            f"{time_words(row.seconds)}, {row.seconds / whole:.1%}</title>"
            f"<desc>{xml_text(layer.output_name)}; {round(row.work.instructions):,} "
            f"instructions, {layer.macs:,} MACs</desc></rect>"
        )
