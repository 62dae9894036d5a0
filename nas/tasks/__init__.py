"""Tasks: data sets, and how a network is judged on them.

A task module has ``TASK``, an instance of :class:`nas.tasks.dataset.Task`.
"""

from __future__ import annotations

from importlib import import_module

from nas.tasks.dataset import Task
from predictor.errors import UsageError

TASKS = {
    "digits": "digits",
    "faces": "faces",
    "japanese-vowels": "japanese_vowels",
    "spoken-words": "spoken_words",
    "machine-sounds": "machine_sounds",
    "kws": "kws",
    "vww": "vww",
    "anomaly": "anomaly",
}
"""Module of each task."""


def find_task(name: str) -> Task:
    """A task by name.

    Raises:
        UsageError: unknown name.
    """
    if name not in TASKS:
        raise UsageError(f"unknown task {name!r}; known: {', '.join(TASKS)}")
    task: Task = import_module(f"nas.tasks.{TASKS[name]}").TASK
    return task
