"""``nas tasks``: what there is to search for."""

from __future__ import annotations

import click

from nas.tasks import TASKS, find_task
from predictor.console.output import emit_text


@click.command(name="tasks", short_help="List the tasks.")
def command() -> None:
    """List the tasks, where their data come from, and how networks are judged."""
    for name in TASKS:
        task = find_task(name)
        needs = "offline" if task.is_offline else "--data"
        emit_text(f"{name:15}  {needs:7}  {task.metric:8}  {task.title}; {task.source}\n")
