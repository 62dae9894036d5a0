"""Scatter plots as SVG: points and lines over linear or logarithmic axes.

A picture stands on its own: fixed size, colours and a text alternative in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil, floor, log10

from predictor.escapes import xml_text
from predictor.records import dataclass
from predictor.report.html.palette import LIGHT

WIDTH, HEIGHT = 640, 420
LEFT, RIGHT, TOP, BOTTOM = 84, 20, 40, 52
_COLORS = ("tensor-edge", "scratch-edge", "io-edge", "other-edge", "bad", "warn")
_RADIUS = 3
_LEGEND_LINE = 16
_TICKS = 6
_MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class Series:
    """Points with a name; ``is_line`` joins them instead of marking them.

    Lines take the colour of the points before them.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    is_line: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows, with its unit; logarithmic axes leave out what is not positive."""

    label: str
    is_log: bool = False


def scatter(title: str, x: Axis, y: Axis, series: Sequence[Series], note: str = "") -> str:
    """The picture. ``note`` is a line under the title."""
    drawn = [
        Series(item.name, tuple(p for p in item.points if _is_shown(p, x, y)), item.is_line)
        for item in series
    ]
    places = [point for item in drawn for point in item.points]
    across = _Scale([p[0] for p in places], x.is_log, LEFT, WIDTH - RIGHT)
    up = _Scale([p[1] for p in places], y.is_log, HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title description">',
        f'<title id="title">{xml_text(title)}</title>',
        f'<desc id="description">{xml_text(_description(x, y, drawn, note))}</desc>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{LIGHT["surface"]}"/>',
        f'<g font-family="system-ui, DejaVu Sans, sans-serif" font-size="11" '
        f'fill="{LIGHT["text"]}">',
        f'<text x="{LEFT}" y="16" font-size="13">{xml_text(title)}</text>',
        f'<text x="{LEFT}" y="31" fill="{LIGHT["muted"]}">{xml_text(note)}</text>',
        *_axes(x, y, across, up),
        *_marks(drawn, across, up),
        *_legend(drawn),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Scale:
    """Values to pixels, and where the ticks are."""

    def __init__(self, values: Sequence[float], is_log: bool, first: float, last: float) -> None:
        self._forward: Callable[[float], float] = log10 if is_log else float
        shown = [self._forward(value) for value in values] or [0.0, 1.0]
        low, high = min(shown), max(shown)
        margin = (high - low) * _MARGIN or abs(high) * _MARGIN or 1.0
        self._low, self._high = low - margin, high + margin
        self._first, self._last = first, last
        self.ticks = _log_ticks(self._low, self._high) if is_log else ()
        if len(self.ticks) < 2:
            self.ticks = _ticks(self._low, self._high, is_log)

    def __call__(self, value: float) -> float:
        fraction = (self._forward(value) - self._low) / (self._high - self._low)
        return round(self._first + fraction * (self._last - self._first), 2)


def _ticks(low: float, high: float, is_log: bool) -> tuple[float, ...]:
    """Round values in a span; of the values themselves where the span is one of logarithms."""
    if is_log:
        low, high = 10**low, 10**high
    rough = (high - low) / _TICKS
    power: float = 10 ** floor(log10(rough))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough)
    return tuple(step * i for i in range(ceil(low / step), floor(high / step) + 1))


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    return tuple(10.0**i for i in range(ceil(low), floor(high) + 1))


def _axes(x: Axis, y: Axis, across: _Scale, up: _Scale) -> Iterable[str]:
    line = f'stroke="{LIGHT["line"]}"'
    base, end = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in across.ticks:
        place = across(value)
        yield f'<line x1="{place}" y1="{TOP}" x2="{place}" y2="{base}" {line}/>'
        yield f'<text x="{place}" y="{base + 16}" text-anchor="middle">{_short(value)}</text>'
    for value in up.ticks:
        place = up(value)
        yield f'<line x1="{LEFT}" y1="{place}" x2="{end}" y2="{place}" {line}/>'
        yield f'<text x="{LEFT - 6}" y="{place + 4}" text-anchor="end">{_short(value)}</text>'
    middle = (LEFT + end) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{xml_text(x.label)}</text>'
    middle = (TOP + base) / 2
    yield (
        f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})">'
        f"{xml_text(y.label)}</text>"
    )


def _colors(series: Sequence[Series]) -> list[str]:
    """A colour for each: points take the next, lines that of the points before."""
    found: list[str] = []
    used = 0
    for item in series:
        if item.is_line:
            found.append(found[-1] if found else LIGHT["muted"])
        else:
            found.append(LIGHT[_COLORS[used % len(_COLORS)]])
            used += 1
    return found


def _marks(series: Sequence[Series], across: _Scale, up: _Scale) -> Iterable[str]:
    for item, color in zip(series, _colors(series), strict=True):
        places = [(across(px), up(py)) for px, py in item.points]
        if item.is_line:
            points = " ".join(f"{px},{py}" for px, py in places)
            yield f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>'
        else:
            yield f'<g fill="{color}" fill-opacity="0.7">'
            yield from (f'<circle cx="{px}" cy="{py}" r="{_RADIUS}"/>' for px, py in places)
            yield "</g>"


def _legend(series: Sequence[Series]) -> Iterable[str]:
    named = [pair for pair in zip(series, _colors(series), strict=True) if pair[0].name]
    for position, (item, color) in enumerate(named):
        place = TOP + 12 + position * _LEGEND_LINE
        if item.is_line:
            yield (
                f'<line x1="{LEFT + 6}" y1="{place}" x2="{LEFT + 20}" y2="{place}" '
                f'stroke="{color}" stroke-width="2"/>'
            )
        else:
            yield f'<circle cx="{LEFT + 13}" cy="{place}" r="4" fill="{color}"/>'
        yield f'<text x="{LEFT + 26}" y="{place + 4}">{xml_text(item.name)}</text>'


def _description(x: Axis, y: Axis, series: Sequence[Series], note: str) -> str:
    counts = "; ".join(
        f"{item.name}: {len(item.points)} points" for item in series if not item.is_line
    )
    return f"{y.label} against {x.label}. {counts}. {note}".strip()


def _is_shown(point: tuple[float, float], x: Axis, y: Axis) -> bool:
    return (point[0] > 0 or not x.is_log) and (point[1] > 0 or not y.is_log)


def _short(value: float) -> str:
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.4g}{suffix}"
    return f"{value:.4g}"
