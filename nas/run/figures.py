"""Figures of runs as PNG files."""

from __future__ import annotations

import io
from typing import Any, NamedTuple

from nas.cli.tables import title
from nas.cost.network_cost import QUANTITIES
from predictor.report.html.palette import LIGHT

_OPTION_COLORS = "Blues"


class Figure(NamedTuple):
    """A picture, and what it shows in words."""

    name: str
    title: str
    caption: str
    content: bytes


def run_figures(rows: list[dict[str, Any]]) -> list[Figure]:
    """Figures of one run from its metrics."""
    found = [
        Figure("loss", "Loss", "training loss of each epoch, by phase of the search.", _loss(rows))
    ]
    searched = [row for row in rows if row["phase"] == "search"]
    if searched:
        found += [
            Figure(
                "constraints",
                "Constraints",
                "what the distribution over networks takes on average, what its most probable "
                "network takes by the exact predictor, and the limit.",
                _constraints(searched),
            ),
            Figure(
                "choices",
                "Choices",
                "the option that each decision favours after each epoch, from the smallest (light) "
                "to the largest.",
                _choices(searched),
            ),
        ]
    return found


def pareto(points: list[dict[str, Any]]) -> Figure:
    """Quality against each cost. Points have ``name``, ``metric``, ``quality``, ``cost``."""
    figure, panels = _panels(len(QUANTITIES))
    for axes, quantity in zip(panels, QUANTITIES, strict=True):
        costs = [point["cost"][quantity] for point in points]
        qualities = [point["quality"] for point in points]
        axes.scatter(costs, qualities, color=LIGHT["tensor-edge"], alpha=0.8)
        front = _front(sorted(zip(costs, qualities, strict=True)))
        axes.step(*zip(*front, strict=True), where="post", color=LIGHT["muted"], linewidth=1)
        axes.set_xlabel(title(quantity).replace(", ms", ", s"))
        axes.locator_params(axis="x", nbins=5)
        axes.set_ylabel(points[0]["metric"])
    caption = "quality of each run's exported file against what it takes; the line joins the best."
    return Figure("pareto", "Pareto plot", caption, _png(figure))


def _front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that none of lower cost reaches."""
    found: list[tuple[float, float]] = []
    for point in points:
        if not found or point[1] > found[-1][1]:
            found.append(point)
    return found


def _panels(columns: int, height: float = 3.2) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    wide = 1 if columns == 1 else 2
    figure = Canvas(figsize=(4.8 * wide, height * -(-columns // wide)), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(-(-columns // wide), wide, i + 1) for i in range(columns)]


def _png(figure: Any) -> bytes:
    content = io.BytesIO()
    # Without the version of the library equal runs give equal files.
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return content.getvalue()


def _loss(rows: list[dict[str, Any]]) -> bytes:
    figure, (axes,) = _panels(1)
    start = 0
    for phase in dict.fromkeys(row["phase"] for row in rows):
        losses = [row["loss"] for row in rows if row["phase"] == phase]
        axes.plot(range(start, start + len(losses)), losses, marker=".", label=phase)
        start += len(losses)
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss")
    axes.legend()
    return _png(figure)


def _constraints(rows: list[dict[str, Any]]) -> bytes:
    figure, panels = _panels(len(QUANTITIES))
    for axes, name in zip(panels, QUANTITIES, strict=True):
        found = [row["argmax"][name] for row in rows]
        axes.plot([row["expected"][name] for row in rows], label="expected")
        axes.plot(found, label="most probable network")
        limits = [row["limits"][name] for row in rows]
        if limits[0] is not None and limits[0] < 3 * max(found):
            axes.plot(limits, color=LIGHT["bad"], linestyle="--", label="limit")
        axes.set_title(title(name).replace(", ms", ", s"))
        axes.set_xlabel("epoch of the search")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize="small")
    return _png(figure)


def _choices(rows: list[dict[str, Any]]) -> bytes:
    names = list(rows[-1]["choices"])
    seen = {name: sorted({row["choices"][name] for row in rows}, key=_order) for name in names}
    grid = [
        [seen[name].index(row["choices"][name]) / max(len(seen[name]) - 1, 1) for row in rows]
        for name in names
    ]
    figure, (axes,) = _panels(1, height=max(2.5, 0.22 * len(names) + 1))
    axes.imshow(grid, aspect="auto", cmap=_OPTION_COLORS, vmin=-0.3, vmax=1.3)
    axes.set_yticks(range(len(names)), names, fontsize="small")
    axes.set_xlabel("epoch of the search")
    for row, name in enumerate(names):
        axes.text(len(rows) - 0.45, row, rows[-1]["choices"][name], fontsize="small", va="center")
    return _png(figure)


def _order(label: str) -> tuple[int, str]:
    """Numbers by size, other labels behind them."""
    number = label.split()[0]
    return (int(number), "") if number.isdigit() else (1_000_000, label)
