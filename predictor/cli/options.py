"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from predictor.errors import UsageError
from predictor.report.budgets import (
    BYTE_UNITS,
    COUNT_UNITS,
    JOULE_UNITS,
    SECOND_UNITS,
    parse_measure,
    parse_quantity,
)

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
    """Adds what a prediction assumes beside model and board."""
    for option in reversed(
        (
            click.option(
                "--kernels",
                help="Kernel set that TFLM is built with: cmsis_nn, reference, or ours (the "
                "project's own kernels). Default: cmsis_nn where the revision has it.",
            ),
            click.option(
                "--tflm",
                metavar="REV",
                default="2026.08",
                show_default=True,
                help="Revision of TFLM.",
            ),
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
                "--calibration",
                metavar="NAME",
                help="Calibration of the board to use, as predict boards BOARD lists them, or the "
                "beginning of its name. Default: the newest that matches.",
            ),
        )
    ):
        command = option(command)
    return command


def firmware_options(command: Command) -> Command:
    """``--kernels`` and ``--tflm``: with which TFLM firmware is built."""
    kernels = click.option(
        "--kernels", help="Kernel set of the firmware; default: what the TFLM library has."
    )
    tflm = click.option(
        "--tflm",
        "tflm_dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="TFLM source tree with a library built in it; default: the packaged TFLM of 2020.07.",
    )
    return kernels(tflm(command))


def max_regression_option(command: Command) -> Command:
    """``--max-regression``, the budgets of comparisons."""
    return click.option(
        "--max-regression",
        "regressions",
        multiple=True,
        metavar="NAME=PERCENT%",
        help="Fail with code 3 if arena, required, flash or macs grows by more; may be repeated.",
    )(command)
