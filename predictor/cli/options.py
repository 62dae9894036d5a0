"""Options that several commands of ``predict`` share."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from typing import Any, cast

import click

from predictor.boards.board import Board, shipped_boards
from predictor.console.options import BYTES, Command, predicted_tflm, tflm_options, with_options

ALL_BOARDS = "all"
"""What stands for all shipped boards where a board is asked for."""
ALL_TFLMS = "all"
"""What stands for each TFLM that is known where one is asked for."""
CALIBRATED_BOARDS = "calibrated"
"""What stands for the shipped boards whose times were measured."""


def boards_of(word: str) -> tuple[Board, ...] | None:
    """The shipped boards that a word stands for, None where it stands for none."""
    if word == ALL_BOARDS:
        return shipped_boards()
    if word == CALIBRATED_BOARDS:
        return tuple(board for board in shipped_boards() if board.calibrations)
    return None


def prediction_options(command: Command) -> Command:
    """What a prediction assumes beside model and board.

    The command gets ``tflm``, ``kernels`` and ``library_kernels`` as
    :class:`~predictor.prediction.Options` take them.
    """

    @wraps(command)
    def predicting(*arguments: Any, tflm: str | None, tflm_dir: Path | None, **rest: Any) -> Any:
        board, kernels = rest.get("board"), rest.get("kernels")
        named = board if isinstance(board, str) and board != ALL_BOARDS else None
        found = predicted_tflm(tflm, tflm_dir, named, kernels)
        return command(*arguments, **found, **rest)

    return tflm_options(assumption_options(cast(Command, predicting)))


def assumption_options(command: Command) -> Command:
    """What a prediction assumes beside model, board and TFLM."""
    return with_options(
        command,
        click.option(
            "--resolver",
            type=click.Choice(["used", "all"]),
            default="used",
            show_default=True,
            help="Link the operators that the model uses, or all of them.",
        ),
        click.option(
            "--reserve-ram",
            "reserve_ram_bytes",
            type=BYTES,
            default=0,
            help="RAM that the application needs, e.g. 20KB.",
        ),
        click.option(
            "--reserve-flash",
            "reserve_flash_bytes",
            type=BYTES,
            default=0,
            help="Flash that the application needs, e.g. 64KB.",
        ),
        click.option(
            "--resource-variables",
            type=click.IntRange(min=0, max=1 << 20),
            metavar="N",
            help="Resource variables that the application makes room for; default: all.",
        ),
        click.option(
            "--calibration",
            metavar="NAME",
            help="Calibration of the board to use, as predict boards BOARD lists them, or the "
            "beginning of its name. Default: the newest that matches.",
        ),
    )


def memory_options(command: Command) -> Command:
    """``--memory`` and ``--persistent-memory``: where the arena lies, or two of them."""
    return with_options(
        command,
        click.option(
            "--memory",
            metavar="NAME",
            help="Memory of the board in which the arena must lie, e.g. dtcm.",
        ),
        click.option(
            "--persistent-memory",
            metavar="NAME",
            help="Give TFLM two arenas: what is persistent lies in this memory.",
        ),
    )


def max_regression_option(command: Command) -> Command:
    """``--max-regression``, the budgets of comparisons."""
    return click.option(
        "--max-regression",
        "regressions",
        multiple=True,
        metavar="NAME=PERCENT%",
        help="Fail with code 3 if arena, required, flash or macs grows by more; may be repeated.",
    )(command)
