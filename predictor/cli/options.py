"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from predictor.errors import UsageError
from predictor.memory.revision import DEFAULT_REVISION
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
ALL_BOARDS = "all"
"""What stands for all shipped boards where a board is asked for."""
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


def prediction_options(command: Command) -> Command:
    """What a prediction assumes beside model and board.

    The command gets ``tflm`` and ``kernels`` as :class:`~predictor.prediction.Options` take them:
    those of the user's TFLM, where one is named or registered.
    """

    @wraps(command)
    def predicting(
        *arguments: Any, kernels: str | None, tflm: str | None, tflm_dir: Path | None, **rest: Any
    ) -> Any:
        revision, chosen = predicted_with(tflm, tflm_dir, kernels)
        return command(*arguments, kernels=chosen, tflm=revision, **rest)

    return tflm_options(assumption_options(cast(Command, predicting)))


def predicted_with(
    tflm: str | None, tflm_dir: Path | None, kernels: str | None
) -> tuple[str, str | None]:
    """Revision and kernel set of a prediction.

    Raises:
        UsageError: the user's TFLM, named or registered, cannot be used.
    """
    from predictor.firmware.registered_tflm import user_tflm

    users = user_tflm(tflm, tflm_dir)
    if users is None:
        return tflm or DEFAULT_REVISION, kernels
    for warning in users.warnings:
        say(f"predict: warning: {warning}")
    return users.revision, kernels or users.kernels


def assumption_options(command: Command) -> Command:
    """What a prediction assumes beside model, board and TFLM."""
    return _with_options(
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


def tflm_options(command: Command) -> Command:
    """``--kernels``, ``--tflm`` and ``--tflm-dir``: which TFLM a command is about."""
    return _with_options(
        command,
        click.option(
            "--kernels",
            help="Kernel set that TFLM is built with: cmsis_nn, reference, or ours (the project's "
            "own kernels). Default: that of your TFLM, else the first that the revision has.",
        ),
        click.option(
            "--tflm",
            metavar="REV",
            help="Revision of TFLM. Default: that of your TFLM; without one, what is predicted is "
            f"{DEFAULT_REVISION}, and what firmware links the packaged one.",
        ),
        click.option(
            "--tflm-dir",
            type=click.Path(path_type=Path),
            help="TFLM that you built: its source tree, or a folder in it with one library. "
            "Default: what predict tflm use registered.",
        ),
    )


def _with_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def max_regression_option(command: Command) -> Command:
    """``--max-regression``, the budgets of comparisons."""
    return click.option(
        "--max-regression",
        "regressions",
        multiple=True,
        metavar="NAME=PERCENT%",
        help="Fail with code 3 if arena, required, flash or macs grows by more; may be repeated.",
    )(command)
