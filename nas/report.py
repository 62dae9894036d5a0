"""Figures of a run, or of the runs of a sweep, as PNG files and one HTML page."""

from __future__ import annotations

import base64
import html
import io
import json
from pathlib import Path
from typing import Any

from nas.checkpoint import write_bytes
from nas.cli.tables import verification_text
from nas.cost import QUANTITIES
from nas.run_folder import CONFIG, RESULT, VERIFICATION, RunFolder
from predictor.errors import UsageError

PAGE = "report.html"
_STYLE = "body{font-family:sans-serif;max-width:60em;margin:2em auto}img{max-width:100%}"


def write_report(folder: Path) -> Path:
    """Draws a run, or all runs of a sweep's folder; returns the page's path.

    Raises:
        UsageError: the folder holds no run.
    """
    run = RunFolder(folder)
    if run.has(CONFIG):
        rows = list(run.metrics())
        if not rows:
            raise UsageError(f"{folder} holds no finished epoch yet")
        figures = _run_figures(rows)
        texts = [json.dumps(run.read_json(CONFIG)["config"], indent=2)]
        if run.has(VERIFICATION):
            texts.insert(0, verification_text(run.read_json(VERIFICATION)))
    else:
        runs = sorted(path.parent for path in folder.glob("*/" + VERIFICATION))
        if not runs:
            raise UsageError(f"{folder} holds no run and no finished runs")
        figures = {"pareto": _pareto(runs)}
        texts = [_sweep_table(runs)]
    for name, content in figures.items():
        write_bytes(folder / f"{name}.png", content)
    path = folder / PAGE
    write_bytes(path, _page(folder.name, figures, texts).encode())
    return path


def _page(title: str, figures: dict[str, bytes], texts: list[str]) -> str:
    images = "".join(
        f'<h2>{html.escape(name)}</h2><img alt="{html.escape(name)}" '
        f'src="data:image/png;base64,{base64.b64encode(content).decode()}">'
        for name, content in figures.items()
    )
    blocks = "".join(f"<pre>{html.escape(text)}</pre>" for text in texts)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>{blocks}{images}</html>\n"
    )


def _figure(columns: int = 1) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * columns, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, columns, i + 1) for i in range(columns)]


def _png(figure: Any) -> bytes:
    content = io.BytesIO()
    # Without the version of the library equal runs give equal files.
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return content.getvalue()


def _run_figures(rows: list[dict[str, Any]]) -> dict[str, bytes]:
    figures = {"loss": _loss(rows)}
    searched = [row for row in rows if row["phase"] == "search"]
    if searched:
        figures["constraints"] = _constraints(searched)
        figures["widths"] = _widths(searched)
    return figures


def _loss(rows: list[dict[str, Any]]) -> bytes:
    figure, (axes,) = _figure()
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
    """Expected and exact cost of the most probable network over time, and the limit."""
    figure, panels = _figure(len(QUANTITIES))
    for axes, name in zip(panels, QUANTITIES, strict=True):
        axes.plot([row["expected"][name] for row in rows], label="expected")
        axes.plot([row["argmax"][name] for row in rows], label="most probable network")
        limits = [row["limits"][name] for row in rows]
        if limits[0] is not None and limits[0] < 3 * max(row["argmax"][name] for row in rows):
            axes.plot(limits, "k--", label="limit")
        axes.set_title(name)
        axes.set_xlabel("epoch of the search")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize="small")
    return _png(figure)


def _widths(rows: list[dict[str, Any]]) -> bytes:
    figure, (axes,) = _figure()
    names = [name for name, label in rows[-1]["choices"].items() if label.isdigit()]
    axes.bar(names, [int(rows[-1]["choices"][name]) for name in names])
    axes.set_ylabel("channels at the end of the search")
    axes.tick_params(axis="x", labelrotation=90, labelsize="small")
    return _png(figure)


def _pareto(runs: list[Path]) -> bytes:
    figure, panels = _figure(len(QUANTITIES))
    tables = [RunFolder(run).read_json(VERIFICATION) for run in runs]
    for axes, name in zip(panels, QUANTITIES, strict=True):
        costs = [table["predicted"][name] for table in tables]
        axes.scatter(costs, [table["accuracy"]["exported"] for table in tables])
        axes.set_xlabel(name)
        axes.set_ylabel(tables[0]["metric"])
    return _png(figure)


def _sweep_table(runs: list[Path]) -> str:
    lines = [f"{'run':40}{'quality':>9}{'ops':>14}{'model':>10}{'arena':>10}  binding"]
    for run in runs:
        table = RunFolder(run).read_json(VERIFICATION)
        binding = RunFolder(run).read_json(RESULT)["binding"]
        found = table["predicted"]
        lines.append(
            f"{run.name:40}{table['accuracy']['exported']:9.4f}{found['ops']:14,.0f}"
            f"{found['model_bytes']:10,.0f}{found['arena_bytes']:10,.0f}  "
            f"{binding['quantity']} {binding['share']:.0%}"
        )
    return "\n".join(lines)
