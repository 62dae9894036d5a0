"""Memory plans as SVG: time across, address up.

Across, the page's picture is laid out in percent, so that it fills and follows any width without
distorting text; the picture on its own has a fixed size in pixels, which all viewers understand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from predictor.escapes import xml_text
from predictor.records import dataclass
from predictor.report.html.palette import LIGHT
from predictor.report.html.plan import Block, Plan

PLOT_HEIGHT = 340
TOP, BOTTOM = 24, 40
AXIS_WIDTH = 52
LEAST_WIDTH = 480
"""Pixels across below which a page scrolls its picture instead of shrinking it."""
DENSE_STEPS = 300
"""Steps above which rectangles are too narrow for outlines and tick marks per step."""
_CHARACTER_WIDTH = 6.6
_KIND_CLASS = {"tensor": "t", "io": "i", "scratch": "s"}
KINDS = (
    ("io", "input or output"),
    ("tensor", "intermediate tensor"),
    ("scratch", "scratch buffer"),
)

STYLE = """
.plan text { font: 11px system-ui, "DejaVu Sans", sans-serif; fill: {text}; }
.plan .muted { fill: {muted}; }
.plan .grid { stroke: {line}; }
.plan .now { fill: {free}; }
.plan .t { fill: {tensor}; stroke: {tensor-edge}; }
.plan .i { fill: {io}; stroke: {io-edge}; }
.plan .s { fill: {scratch}; stroke: {scratch-edge}; }
.plan .p { stroke-width: 2; }
.plan .dense rect { stroke: none; }
.plan .over rect { fill-opacity: 0.75; }
.plan .peak { stroke: {bad}; stroke-width: 2; }
.plan .bound { stroke: {bound}; stroke-width: 2; stroke-dasharray: 6 4; }
.plan .peak-text { fill: {bad}; }
.plan .bound-text { fill: {bound}; }
"""
"""Rules with a name of the palette in braces wherever a colour stands."""


def style(color: Callable[[str], str]) -> str:
    """The picture's rules; ``color`` gives the CSS value of a name of the palette."""
    rules = STYLE
    for name in LIGHT:
        rules = rules.replace(f"{{{name}}}", color(name))
    return rules


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where steps and bytes lie. ``width`` is None for a layout in percent."""

    plan: Plan
    top_bytes: int
    width: float | None

    def across(self, step: float) -> str:
        fraction = step / self.plan.step_count
        return f"{short(100 * fraction)}%" if self.width is None else short(self.width * fraction)

    def up(self, bytes_: float) -> float:
        return TOP + PLOT_HEIGHT * (1 - bytes_ / self.top_bytes)

    def room(self, steps: int) -> float:
        """Pixels that are there across at the least."""
        return (self.width or LEAST_WIDTH) * steps / self.plan.step_count


def inline_svg(plan: Plan, identifier: str, top_bytes: int = 0) -> str:
    """The picture for a page, which styles it. ``identifier`` must be unique on the page.

    Pictures that are drawn up to the same ``top_bytes`` have one scale.
    """
    title, description = f"{identifier}-title", f"{identifier}-desc"
    frame = _Frame(plan, max(top_bytes, plan.top_bytes), None)
    return (
        f'<svg class="plan axis" aria-hidden="true" width="{AXIS_WIDTH}" '
        f'height="{TOP + PLOT_HEIGHT + BOTTOM}">{"".join(_axis(frame))}</svg>'
        f'<svg class="plan" id="{identifier}" role="group" width="100%" '
        f'height="{TOP + PLOT_HEIGHT + BOTTOM}" aria-labelledby="{title}" '
        f'aria-describedby="{description}">'
        f'<title id="{title}">{xml_text(plan.title)}</title>'
        f'<desc id="{description}">{xml_text(describe(plan))}</desc>'
        f"{''.join(_content(frame))}</svg>"
    )


def standalone_svg(plan: Plan, heading: str, width: int = 1200) -> str:
    """The picture as a file of its own, in light colours."""
    margin, head = 16, 56
    height = TOP + PLOT_HEIGHT + BOTTOM + head
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" class="plan">',
        f"<title>{xml_text(heading)}</title><desc>{xml_text(describe(plan))}</desc>",
        f"<style>{style(LIGHT.__getitem__)}</style>",
        f'<rect width="{width}" height="{height}" fill="{LIGHT["surface"]}"/>',
        f'<text x="{margin}" y="24" style="font-size:15px;font-weight:600">'
        f"{xml_text(heading)}</text>",
    ]
    left = margin
    for kind, words in KINDS:
        parts.append(
            f'<rect class="{_KIND_CLASS[kind]}" x="{left}" y="38" width="12" height="12"/>'
            f'<text x="{left + 18}" y="48">{words}</text>'
        )
        left += 36 + round(len(words) * _CHARACTER_WIDTH)
    frame = _Frame(plan, plan.top_bytes, width - 2 * margin - AXIS_WIDTH)
    parts.append(f'<g transform="translate({margin} {head})">')
    parts += _axis(frame)
    parts.append(f'</g><g transform="translate({margin + AXIS_WIDTH} {head})">')
    parts += _content(frame)
    parts.append("</g></svg>\n")
    return "".join(parts)


def describe(plan: Plan) -> str:
    """The picture in words."""
    return (
        f"Time runs across in {plan.step_count:,} steps, addresses go up to "
        f"{plan.height_bytes:,} bytes; one rectangle per buffer, {len(plan.blocks):,} in all"
        f"{plan.shown_words and ': '}{plan.shown_words}. "
        f"At least {plan.lower_bound_bytes:,} bytes are alive at step {plan.peak_step} "
        f"({plan.peak_words})."
    )


def _content(frame: _Frame) -> Iterator[str]:
    plan = frame.plan
    now, step = frame.across(plan.peak_step), frame.across(1)
    yield f'<rect class="now" x="{now}" y="{TOP}" width="{step}" height="{PLOT_HEIGHT}"/>'
    yield from _grid(frame)
    dense = " dense" if plan.step_count > DENSE_STEPS else ""
    over = " over" if plan.is_below_bound else ""
    yield f'<g class="blocks{dense}{over}">'
    ordered = sorted(plan.blocks, key=lambda block: (block.first_use, block.offset))
    for position, block in enumerate(ordered):
        yield _rectangle(frame, block, position == 0)
    yield "</g><g aria-hidden='true' pointer-events='none'>"
    for block in ordered:
        yield _label(frame, block)
    yield from _levels(frame)
    yield "</g>"


def _rectangle(frame: _Frame, block: Block, is_first: bool) -> str:
    top, bottom = frame.up(block.offset + block.size_bytes), frame.up(block.offset)
    classes = _KIND_CLASS[block.kind] + (" p" if frame.plan.is_at_peak(block) else "")
    # One stop of the Tab key leads into the picture; arrow keys lead on from there.
    return (
        f'<rect class="{classes}" role="img" tabindex="{0 if is_first else -1}" '
        f'x="{frame.across(block.first_use)}" y="{short(top)}" '
        f'width="{frame.across(block.last_use + 1 - block.first_use)}" '
        f'height="{short(bottom - top)}"><title>{xml_text(block.name)}: '
        f"{block.size_bytes:,} bytes</title><desc>{xml_text(block.details)}</desc></rect>"
    )


def _label(frame: _Frame, block: Block) -> str:
    room = frame.room(block.last_use + 1 - block.first_use)
    middle = (frame.up(block.offset) + frame.up(block.offset + block.size_bytes)) / 2
    is_tall = PLOT_HEIGHT * block.size_bytes / frame.top_bytes >= 14
    if not is_tall or room < _CHARACTER_WIDTH * len(block.label) + 6:
        return ""
    center = frame.across((block.first_use + block.last_use + 1) / 2)
    return (
        f'<text x="{center}" y="{short(middle + 4)}" text-anchor="middle">'
        f"{xml_text(block.label)}</text>"
    )


def _axis(frame: _Frame) -> Iterator[str]:
    """Addresses at the left of the plot."""
    for level in range(0, frame.top_bytes + 1, _power_of_two_step(frame.top_bytes)):
        words = f"{level // 1024:,} KB" if level and level % 1024 == 0 else f"{level:,}"
        yield (
            f'<text class="muted" x="{AXIS_WIDTH - 6}" y="{short(frame.up(level) + 4)}" '
            f'text-anchor="end">{words}</text>'
        )


def _grid(frame: _Frame) -> Iterator[str]:
    yield "<g aria-hidden='true'>"
    right = frame.across(frame.plan.step_count)
    for level in range(0, frame.top_bytes + 1, _power_of_two_step(frame.top_bytes)):
        y = short(frame.up(level))
        yield f'<line class="grid" x1="0" x2="{right}" y1="{y}" y2="{y}"/>'
    for step in range(0, frame.plan.step_count, round_step(frame.plan.step_count)):
        yield (
            f'<text class="muted" x="{frame.across(step + 0.5)}" y="{TOP + PLOT_HEIGHT + 14}" '
            f'text-anchor="middle">{step}</text>'
        )
    yield (
        f'<text class="muted" x="0" y="{TOP + PLOT_HEIGHT + 32}">step: 0 is the start, k the '
        "k-th operator that runs; shaded: the fullest step</text></g>"
    )


def _levels(frame: _Frame) -> Iterator[str]:
    """The lines of peak and lower bound with their words."""
    plan = frame.plan
    right = frame.across(plan.step_count)
    meets = plan.height_bytes == plan.lower_bound_bytes
    words = f"peak {plan.height_bytes:,} bytes" + (" = lower bound" if meets else "")
    levels = [("peak", plan.height_bytes, words, -6)]
    if plan.is_below_bound:
        words = f"without overlap at least {plan.lower_bound_bytes:,} bytes"
        levels = [("peak", plan.height_bytes, levels[0][2], 14)]
        levels.append(("bound", plan.lower_bound_bytes, words, -6))
    elif not meets:
        words = f"lower bound {plan.lower_bound_bytes:,} bytes"
        levels.append(("bound", plan.lower_bound_bytes, words, 14))
    for name, level, words, drop in levels:
        y = frame.up(level)
        yield (
            f'<line class="{name}" x1="0" x2="{right}" y1="{short(y)}" y2="{short(y)}"/>'
            f'<text class="{name}-text" x="{right}" y="{short(y + drop)}" '
            f'text-anchor="end" dx="-4">{words}</text>'
        )


def _power_of_two_step(top: int) -> int:
    """At most eight lines."""
    step = 1
    while top // step > 8:
        step *= 2
    return step


def round_step(count: int, most: int = 20) -> int:
    """1, 2 or 5 times a power of ten, so that at most ``most`` steps are marked."""
    scale = 1
    while True:
        for factor in (1, 2, 5):
            if count <= most * factor * scale:
                return factor * scale
        scale *= 10


def short(value: float) -> str:
    """At most three decimals."""
    return f"{value:.3f}".rstrip("0").rstrip(".") or "0"
