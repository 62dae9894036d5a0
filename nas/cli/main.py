"""Entry point of ``nas``: search, export, verify and report."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from predictor.console.running import run_group
from predictor.errors import MissingDependencyError
from predictor.install import install_command
from predictor.start import exit_with, say

_COMMANDS = {
    "search": "Search a network for a task and a board.",
    "export": "Write a run's network as a .tflite file.",
    "verify": "Hold a run's file against the predictor and its accuracy.",
    "report": "Draw a run's figures and write its HTML page.",
    "sweep": "Search for many budgets or seeds.",
    "tasks": "List the tasks.",
}


class LazyGroup(click.Group):
    """Imports a command's module only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"nas.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 fits, 1 failure, 2 usage, 3 nothing fits, 130 interrupted.",
)
def cli() -> None:
    """Search networks that fit a microcontroller, exactly.

    \b
    nas search --task digits --board f446re --preset smoke --out runs/digits
    nas verify runs/digits --format json
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits with the documented code."""
    exit_with(lambda: run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code; errors are one line on standard error."""
    try:
        return run_group(cli, "nas", arguments)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("tensorflow", "keras", "matplotlib"):
            raise
        say(f"nas: {error.name} is missing: {install_command('nas')}")
        return MissingDependencyError.exit_code


if __name__ == "__main__":
    main()
