"""``nas tasks``: what there is to search for."""

from __future__ import annotations

import click

from nas.tasks import TASKS, find_task
from predictor.console.output import emit


@click.command(name="tasks", short_help="List the tasks.")
def command() -> None:
    """List the tasks, where their data come from, and how networks are judged."""
    for name in TASKS:
        task = find_task(name)
        needs = "offline" if task.is_offline else "--data"
        emit(f"{name:17}{needs:9}{task.metric:10}{task.title}; {task.source}\n", None)
