"""Options of several commands, and quantities with units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from predictor.boards.board import find_board
from predictor.errors import UsageError
from predictor.memory.revision import DEFAULT_REVISION, kernel_sets
from predictor.options import OptionKeywords
from predictor.report.budgets import (
    BYTE_UNITS,
    COUNT_UNITS,
    JOULE_UNITS,
    SECOND_UNITS,
    parse_measure,
    parse_quantity,
)
from predictor.start import say

Command = TypeVar("Command", bound=Callable[..., Any])


class Quantity(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A number with a unit, such as 100KB or 20M."""

    def __init__(self, name: str, units: Mapping[str, int]) -> None:
        self.name = name
        self._units = units

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return parse_quantity(value, self._units, param.name or "" if param else "")
        except UsageError as error:
            self.fail(str(error), param, ctx)


class Measure(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A positive number with a unit, such as 20ms or 1.5mJ."""

    def __init__(self, name: str, units: Mapping[str, float]) -> None:
        self.name = name
        self._units = units

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        try:
            return parse_measure(value, self._units, param.name or "" if param else "")
        except UsageError as error:
            self.fail(str(error), param, ctx)


SECONDS = Measure("time", SECOND_UNITS)
POSITIVE = Measure("number", {"": 1.0})
JOULES = Measure("energy", JOULE_UNITS)
BYTES = Quantity("bytes", BYTE_UNITS)
MACS = Quantity("count", COUNT_UNITS)


def format_option(*forms: str) -> Callable[[Command], Command]:
    """``--format``, whose default is the first form."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="Form of the report.",
    )


def folder_option(words: str) -> Callable[[Command], Command]:
    """``-o``: the folder that a command writes files into."""
    return click.option(
        "-o",
        "--out",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        required=True,
        help=words,
    )


def with_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    """A command with options, in their order."""
    for option in reversed(options):
        command = option(command)
    return command


def _usual_tflm(board: str | None, kernels: str | None) -> str:
    usual = "" if board is None else find_board(board).tflm
    if usual and (kernels is None or kernels in kernel_sets(usual)):
        return usual
    return DEFAULT_REVISION


def tflm_options(command: Command) -> Command:
    """``--kernels``, ``--tflm`` and ``--tflm-dir``: which TFLM a command is about."""
    return with_options(
        command,
        click.option(
            "--kernels",
            help="Kernel set that TFLM is built with: cmsis_nn, reference, mn (the project's own "
            "kernels), or best (of mn and cmsis_nn the cheaper for each operator). Default: that "
            "of your TFLM, else the first that the revision has.",
        ),
        click.option(
            "--tflm",
            metavar="REV",
            help="Revision of TFLM, as predict tflm list names them. Default: that of your TFLM; "
            "without one, what is predicted is the board's usual one or "
            f"{DEFAULT_REVISION}, and what firmware links the packaged one.",
        ),
        click.option(
            "--tflm-dir",
            type=click.Path(path_type=Path),
            help="TFLM that you built: its source tree, or a folder in it with one library. "
            "Default: what predict tflm use registered.",
        ),
    )


def predicted_tflm(
    tflm: str | None,
    tflm_dir: Path | None,
    board: str | None = None,
    kernels: str | None = None,
) -> OptionKeywords:
    """Which TFLM a prediction is of, as keywords of :class:`~predictor.prediction.Options`: the
    user's, where one is named or registered, else a revision.

    Args:
        board: whose usual TFLM is taken where nothing is said, if that has the kernels.

    Raises:
        UsageError: the user's TFLM cannot be used. BoardError: there is no such board.
    """
    from predictor.firmware.registered_tflm import user_tflm

    users = user_tflm(tflm, tflm_dir)
    if users is None:
        return {"tflm": tflm or _usual_tflm(board, kernels)}
    for warning in users.warnings:
        say(f"predict: warning: {warning}")
    return {"tflm": users.revision, "library_kernels": users.kernels}
