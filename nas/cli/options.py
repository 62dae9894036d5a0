"""Options that several commands share, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from predictor import Options, find_board
from predictor.console.options import BYTES, Measure, Quantity, predicted_tflm
from predictor.report.budgets import COUNT_UNITS, SECOND_UNITS

Command = TypeVar("Command", bound=Callable[..., Any])
OPS = Quantity("count", COUNT_UNITS)
FOLDER = click.Path(file_okay=False, path_type=Path)
DURATION = Measure("time", {"": 1.0, **SECOND_UNITS})
"""Seconds, such as 0.1s or 80ms."""


def budget_options(command: Command) -> Command:
    """What a search is limited by."""
    for option in reversed(
        (
            click.option("--board", default="f446re", show_default=True, help="Name or TOML file."),
            click.option(
                "--kernels", help="Kernel set. Default: that of your TFLM, else cmsis_nn."
            ),
            click.option("--max-latency", "max_latency_s", type=DURATION, help="E.g. 80ms."),
            click.option("--max-arena", "max_arena_bytes", type=BYTES, help="E.g. 40KB."),
            click.option(
                "--max-flash", "max_flash_bytes", type=BYTES, help="Model and code, e.g. 200KB."
            ),
            click.option("--max-ops", type=OPS, help="Ops of one inference (a MAC is two)."),
            click.option("--reserve-ram", "reserve_ram_bytes", type=BYTES, default=0),
            click.option("--reserve-flash", "reserve_flash_bytes", type=BYTES, default=0),
        )
    ):
        command = option(command)
    return command


def recipe_options(command: Command) -> Command:
    """What is searched, and how."""
    for option in reversed(
        (
            click.option("--task", required=True, help="Name of a task; see nas tasks."),
            click.option(
                "--preset", default="small", show_default=True, help="smoke, small, paper."
            ),
            click.option(
                "--recipe",
                "recipe_path",
                type=click.Path(dir_okay=False, path_type=Path),
                help="A recipe file instead of the task's own.",
            ),
            click.option("--data", "data_path", type=FOLDER, help="Folder of a public data set."),
            click.option(
                "--memory",
                type=click.Choice(["liveness", "paper", "optimized", "streamed"]),
                default="liveness",
                show_default=True,
                help="What the search reckons with: TFLM's memory, the paper's model of it, an "
                "optimised plan, or one with layers in rows; the file then has that plan.",
            ),
            click.option(
                "--strategy",
                type=click.Choice(["none", "mirrored", "multiworker", "tpu"]),
                default="none",
                show_default=True,
                help="TensorFlow's distribution strategy.",
            ),
            click.option("--threads", type=click.IntRange(0), default=2, show_default=True),
        )
    ):
        command = option(command)
    return command


def make_budget(
    board: str,
    kernels: str | None,
    max_latency_s: float | None,
    max_arena_bytes: int | None,
    max_flash_bytes: int | None,
    max_ops: int | None,
    reserve_ram_bytes: int,
    reserve_flash_bytes: int,
) -> Any:
    """The budget that options describe, for the TFLM that is registered, if one is.

    Raises:
        UsageError: unknown board or kernels.
    """
    from nas.cost.constraints import Budget

    options = replace(
        Options(**predicted_tflm(None, None)),
        kernels=kernels,
        reserve_ram_bytes=reserve_ram_bytes,
        reserve_flash_bytes=reserve_flash_bytes,
    )
    found = find_board(board)
    options.revision(found.core.model)
    return Budget(found, options, max_arena_bytes, max_flash_bytes, max_ops, max_latency_s)


BUDGET_NAMES = (
    "board",
    "kernels",
    "max_latency_s",
    "max_arena_bytes",
    "max_flash_bytes",
    "max_ops",
    "reserve_ram_bytes",
    "reserve_flash_bytes",
)
