"""One HTML page of a run, or of the runs of a sweep, with its figures as PNG files beside it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from nas.cli.tables import emulation_line, quality_line, shown, verification_rows
from nas.cost.network_cost import QUANTITIES
from nas.run.figures import Figure, pareto, run_figures
from nas.run.run_folder import CONFIG, RESULT, VERIFICATION, RunFolder
from nas.training.checkpoint import write_bytes
from predictor.errors import UsageError
from predictor.report.html.palette import LIGHT, css_variables

PAGE = "report.html"
_TEMPLATES = Path(__file__).parent / "templates"


def write_report(folder: Path) -> Path:
    """Draws a run, or all runs of a sweep's folder; returns the page's path.

    Raises:
        UsageError: the folder holds no run.
    """
    run = RunFolder(folder)
    content = _of_run(run) if run.has(CONFIG) else _of_sweep(folder)
    figures: list[Figure] = content["figures"]
    for figure in figures:
        write_bytes(folder / f"{figure.name}.png", figure.content)
    path = folder / PAGE
    write_bytes(path, _page(**content).encode())
    return path


def _of_run(run: RunFolder) -> dict[str, Any]:
    rows = list(run.metrics())
    if not rows:
        raise UsageError(f"{run.path} holds no finished epoch yet")
    config = run.read_json(CONFIG)
    content: dict[str, Any] = {
        "title": f"{config['config']['task']}: {run.path.name}",
        "figures": run_figures(rows),
        "lines": [],
        "tables": [],
        "config": json.dumps(config, indent=2),
    }
    if run.has(VERIFICATION):
        table, result = run.read_json(VERIFICATION), run.read_json(RESULT)
        fits = f"fits {table['board']}" if table["fits"] else f"does not fit {table['board']}"
        content["lines"] = [
            {"text": fits, "style": "good" if table["fits"] else "bad"},
            {"text": quality_line(table), "style": ""},
            {"text": emulation_line(table), "style": "muted"},
        ]
        head = ("", "searched", "predicted", "emulated", "limit")
        choices = list(result["choices"].items())
        content["tables"] = [
            {"title": "What it takes", "head": head, "rows": verification_rows(table)},
            {"title": "What was chosen", "head": ("decision", "option"), "rows": choices},
        ]
    return content


def _of_sweep(folder: Path) -> dict[str, Any]:
    runs = [RunFolder(path.parent) for path in sorted(folder.glob("*/" + VERIFICATION))]
    tables = [(run, run.read_json(VERIFICATION)) for run in runs]
    tables = [(run, table) for run, table in tables if table["fits"]]
    if not tables:
        raise UsageError(f"{folder} holds no run and no finished runs")
    points = [
        {
            "metric": table["metric"],
            "quality": table["accuracy"]["exported"],
            "cost": table["predicted"],
        }
        for _, table in tables
    ]
    rows = []
    for run, table in tables:
        binding = run.read_json(RESULT)["binding"]
        costs = (shown(name, table["predicted"][name]) for name in QUANTITIES)
        used = f"{binding['quantity']} {binding['share']:.0%}"
        rows.append((run.path.name, f"{table['accuracy']['exported']:.4f}", *costs, used))
    head = (
        "run",
        points[0]["metric"],
        "ops",
        "latency, ms",
        "model, bytes",
        "arena, bytes",
        "used",
    )
    return {
        "title": folder.name,
        "figures": [pareto(points)],
        "lines": [{"text": f"{len(rows)} runs that fit", "style": ""}],
        "tables": [{"title": "Runs", "head": head, "rows": rows}],
        "config": "",
    }


def _page(figures: list[Figure], **content: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = [
        figure._asdict() | {"data": base64.b64encode(figure.content).decode()} for figure in figures
    ]
    colors = Markup(css_variables(LIGHT))
    return environment.get_template(PAGE).render(figures=pictures, colors=colors, **content)
