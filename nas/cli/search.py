"""``nas search``: from a task and a board to a file that fits."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from nas.cli.options import (
    BUDGET_NAMES,
    FOLDER,
    budget_options,
    make_budget,
    recipe_options,
)
from nas.cli.tables import closest_text, verification_text
from predictor.console.output import emit_text
from predictor.errors import EXIT_DOES_NOT_FIT, EXIT_FITS
from predictor.start import say


@click.command(name="search", short_help="Search a network for a task and a board.")
@recipe_options
@budget_options
@click.option("--seed", type=click.IntRange(0, 1_000_000), default=0, show_default=True)
@click.option("--out", "folder", type=FOLDER, required=True, help="Folder of the run.")
def command(
    task: str,
    preset: str,
    recipe_path: Path | None,
    data_path: Path | None,
    memory: str,
    strategy: str,
    threads: int,
    seed: int,
    folder: Path,
    **limits: Any,
) -> int:
    """Search, finetune, export and verify a network.

    An interrupted run goes on when the same command is given again.
    """
    from nas.run import pipeline
    from nas.run.recipe import load_recipe
    from nas.tasks import find_task

    find_task(task)
    load_recipe(task, preset, recipe_path)
    budget = make_budget(**{name: limits[name] for name in BUDGET_NAMES})
    pipeline.prepare_tensorflow(threads)
    request = pipeline.make_request(task, preset, budget, seed, recipe_path, memory, strategy)
    data = pipeline.load_data(request.recipe, seed, data_path)
    table = pipeline.search(request, data, folder, Bar(), say)
    if not table["fits"]:
        say(closest_text(table["closest"]).rstrip())
        return EXIT_DOES_NOT_FIT
    emit_text(verification_text(table))
    return EXIT_FITS


class Bar:
    """Progress of a phase with the time that is left, for people; nothing where none watches."""

    def __init__(self) -> None:
        self._phase, self._start = "", 0.0

    def __call__(self, phase: str, done: int, total: int, row: Mapping[str, Any]) -> None:
        if not sys.stderr.isatty():
            return
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._start = phase, now
            left = ""
        else:
            left = f"  {(now - self._start) / max(done - 1, 1) * (total - done):.0f} s left"
        filled = "#" * (20 * done // total)
        end = "\n" if done == total else ""
        click.echo(
            f"\r{phase:9}[{filled:20}] {done}/{total}  loss {row['loss']:.3f}{left:14}{end}",
            err=True,
            nl=False,
        )
