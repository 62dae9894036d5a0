"""Entry point of ``predict``: a group whose default command is the prediction."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from predictor.console.output import emit
from predictor.console.running import run_group
from predictor.start import exit_with

_COMMANDS = {
    "model": ("predictor.cli.model", "Predict one model (the default command)."),
    "emulate": ("predictor.cli.emulate", "Run models in TFLM firmware on emulated boards."),
    "firmware": ("predictor.cli.firmware", "Build TFLM firmware with a model in it."),
    "export": ("predictor.cli.export", "Write a project that runs a model."),
    "kernels": ("predictor.cli.kernels", "Write the kernels of device models as a library."),
    "diff": ("predictor.cli.diff", "Hold your own firmware against the prediction."),
    "measure": ("predictor.cli.measure", "Run a model on a physical board and measure it."),
    "calibrate": ("predictor.cli.calibrate", "Fit a board's core to measurements."),
    "characterize": ("predictor.cli.characterize", "Sample random layers or models."),
    "report": ("predictor.cli.report", "Write a page with verdicts, memory plans and layers."),
    "compare": ("predictor.cli.compare", "Show what differs between models, boards or kernels."),
    "check": ("predictor.cli.check", "Hold the models of a predictor.toml against budgets."),
    "optimize": (
        "predictor.cli.optimize",
        "Write the same model with a smaller memory plan.",
    ),
    "example": ("predictor.cli.example", "Write an example model to try the others on."),
    "tflm": ("predictor.cli.tflm", "Register a TFLM of your own, once for all commands."),
    "doctor": ("predictor.cli.doctor", "Say which tools are installed and usable."),
    "boards": ("predictor.cli.boards", "List the boards that are known."),
}
_DEFAULT = "model"
_GROUP_OPTIONS = ("--help", "-h", "--version")


class LazyGroup(click.Group):
    """Imports a command's module only when it runs, and falls back to the default command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(_COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in _COMMANDS and args[0] not in _GROUP_OPTIONS:
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        emit(f"predict {version('mcu-predictor')}\n", None)
        ctx.exit()


@click.group(
    cls=LazyGroup,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 fits, 1 bad model or failure, 2 usage, 3 does not fit, 130 interrupted.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version.",
)
def cli() -> None:
    """Say exactly whether a TensorFlow Lite model runs on a microcontroller under TFLM.

    \b
    predict MODEL.tflite --board f746zg     one model on one board
    predict MODEL.tflite --board all        one model on all boards
    predict emulate MODEL.tflite            the same in real firmware, emulated
    predict export MODEL.tflite --for cmake -o DIR   a project that runs it
    predict report MODEL.tflite -o a.html   a page to look at and to share
    predict compare OLD.tflite NEW.tflite   what differs
    predict optimize MODEL -o SMALLER       the same model in less memory
    predict check                           many models against budgets
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits with the documented code."""
    exit_with(lambda: run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code; errors are one line on standard error."""
    return run_group(cli, "predict", arguments)


if __name__ == "__main__":
    main()
