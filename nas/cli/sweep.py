"""``nas sweep``: many budgets or seeds."""

from __future__ import annotations

from pathlib import Path

import click

from nas.cli.options import FOLDER
from predictor.console.output import emit
from predictor.errors import EXIT_DOES_NOT_FIT, UsageError

_LIMITS = ("--max-ops", "--max-arena", "--max-flash", "--max-latency")


@click.command(
    name="sweep",
    short_help="Search for many budgets or seeds.",
    context_settings={"ignore_unknown_options": True},
)
@click.option("--vary", type=click.Choice(_LIMITS), help="The limit that takes many values.")
@click.option("--values", default="", help="Its values, with commas: 100k,200k,400k.")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True)
@click.option("--out", "folder", type=FOLDER, required=True, help="Folder of all runs.")
@click.option("--ray", "address", metavar="ADDRESS", help="Run on this Ray cluster.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(
    vary: str | None,
    values: str,
    seeds: int,
    folder: Path,
    address: str | None,
    arguments: tuple[str, ...],
) -> int:
    """Search once for each value and seed; ARGUMENTS go to each nas search.

    Runs that are finished are not run again: give the same command to go on.
    """
    from nas.run.sweep import jobs, run_local, run_on_ray

    chosen = tuple(value.strip() for value in values.split(",") if value.strip())
    if bool(vary) != bool(chosen):
        raise UsageError("--vary and --values go together")
    if "--task" not in arguments:
        raise UsageError("a sweep needs the --task of its searches")
    work = [
        job
        for job in jobs(list(arguments), vary or "", chosen, seeds, folder)
        if not (folder / job[0] / "verify.json").is_file()
    ]
    runs = run_on_ray(work, address) if address else run_local(work)
    worst = 0
    for name, code in runs:
        emit(f"{name}: {'done' if code == 0 else f'exit code {code}'}\n", None)
        if code not in (0, EXIT_DOES_NOT_FIT):
            worst = max(worst, code)
    return worst
