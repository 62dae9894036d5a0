"""Paths on the command line: what is written is never what is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from predictor.errors import UsageError


class OutputPath(click.Path):
    """A file that a command writes.

    Args:
        updates: parameters that may name the same file, because the command adds to it.
    """

    def __init__(self, updates: Iterable[str] = ()) -> None:
        super().__init__(dir_okay=False, path_type=Path)
        self.updates = frozenset(updates)


OUTPUT_PATH = OutputPath()


class FileCommand(click.Command):
    """A command that refuses to write over a file that it reads, or over its own output."""

    def invoke(self, ctx: click.Context) -> Any:
        values = {
            parameter.name or "": _paths(ctx.params.get(parameter.name or ""))
            for parameter in self.params
        }
        outputs: dict[str, Path] = {}
        for parameter in self.params:
            name = parameter.name or ""
            if isinstance(parameter.type, OutputPath) and values[name]:
                inputs = [
                    path
                    for other in self.params
                    if not isinstance(other.type, OutputPath)
                    and other.name not in parameter.type.updates
                    for path in values[other.name or ""]
                ]
                (outputs[parameter.opts[-1]],) = values[name]
                refuse_overwriting({parameter.opts[-1]: values[name][0]}, inputs)
        _refuse_twice(outputs)
        return super().invoke(ctx)


def _paths(value: Any) -> list[Path]:
    """A parameter's values that may be paths."""
    values = value if isinstance(value, tuple | list) else (value,)
    return [Path(item) for item in values if isinstance(item, str | Path)]


def refuse_overwriting(outputs: Mapping[str, Path | None], inputs: Iterable[Path]) -> None:
    """Checks what options name as output.

    Raises:
        UsageError: an output is a file among the inputs.
    """
    inputs = list(inputs)
    for option, output in outputs.items():
        if output is not None and any(_is_same(output, path) for path in inputs):
            raise UsageError(f"{option} {output} is a file that is read; write to another one")


def _refuse_twice(outputs: Mapping[str, Path]) -> None:
    found: dict[str, str] = {}
    for option, output in outputs.items():
        place = os.path.realpath(output)
        if place in found and (os.path.isfile(place) or not os.path.exists(place)):
            raise UsageError(f"{found[place]} and {option} both write to {output}")
        found[place] = option


def _is_same(output: Path, other: Path) -> bool:
    """Whether both are one regular file; a terminal may well be read and written."""
    return os.path.isfile(output) and os.path.isfile(other) and os.path.samefile(output, other)
