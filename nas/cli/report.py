"""``nas report``: figures and a page."""

from __future__ import annotations

from pathlib import Path

import click

from nas.cli.options import FOLDER
from predictor.console.output import emit


@click.command(name="report", short_help="Draw a run's figures and write its HTML page.")
@click.argument("run", type=FOLDER)
def command(run: Path) -> None:
    """Draw RUN, a run's folder or the folder of a sweep, as PNG files and report.html."""
    from nas.run.report import write_report

    emit(f"{write_report(run)}\n", None)
