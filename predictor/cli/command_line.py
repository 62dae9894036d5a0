"""The command line that makes a result again, for the result to say it."""

from __future__ import annotations

import shlex

import click


def command_line() -> str:
    """The running command as it was given, without where it writes to."""
    context = click.get_current_context()
    words = ["predict", context.command.name or ""]
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source != click.core.ParameterSource.COMMANDLINE or name == "output":
            continue
        value = context.params[name]
        for item in value if isinstance(value, tuple) else (value,):
            words += _words(parameter, item)
    return shlex.join(words)


def _words(parameter: click.Parameter, value: object) -> list[str]:
    if isinstance(parameter, click.Option):
        return [parameter.opts[0]] if parameter.is_flag else [parameter.opts[0], str(value)]
    return [str(value)]
