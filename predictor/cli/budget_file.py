"""``predictor.toml``: which models are held against which budgets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from predictor import toml
from predictor.cli.options import boards_of
from predictor.errors import UsageError
from predictor.prediction import DEFAULT_BOARD
from predictor.records import dataclass
from predictor.report.budgets import BUDGETS, BYTE_UNITS, Budgets, parse_quantity

_NAMES = ("kernels", "tflm")
_RESERVES = ("reserve_ram", "reserve_flash")
_RESOLVERS = ("used", "all")


@dataclass(frozen=True, slots=True)
class Settings:
    """What models of one pattern are predicted with, and their budgets.

    ``boards`` are names or paths; ``options`` are keyword arguments of :func:`predictor.predict`.
    """

    boards: tuple[str, ...]
    budgets: Budgets
    options: Mapping[str, Any]


def read_budgets(config: Path) -> list[tuple[Path, Settings]]:
    """The models that a file names or whose patterns match, with their settings, in its order.

    Paths are relative to the file. One that is no pattern, or matches nothing, stays as it is.

    Raises:
        UsageError: the file is unreadable, malformed or without budgets; names file and key.
    """
    if not os.path.exists(config):
        raise UsageError(f"no such file: {config}; name one with --config")
    patterns = toml.read_file(config, _file)
    if not patterns:
        raise UsageError(f"{config}: the table [tool.predictor.budgets] is missing or empty")
    return [
        (path, replace(settings, boards=tuple(_place(config.parent, b) for b in settings.boards)))
        for pattern, settings in patterns
        for path in _matches(config.parent, pattern) or [config.parent / pattern]
    ]


def _file(table: toml.Table) -> tuple[tuple[str, Settings], ...]:
    table.allow_others()  # a pyproject.toml holds tables of other tools
    return table.optional("tool", table.read, _tool) or ()


def _tool(table: toml.Table) -> tuple[tuple[str, Settings], ...]:
    table.allow_others()
    return table.optional("predictor", table.read, _predictor) or ()


def _predictor(table: toml.Table) -> tuple[tuple[str, Settings], ...]:
    return table.optional("budgets", table.read, _budgets) or ()


def _budgets(table: toml.Table) -> tuple[tuple[str, Settings], ...]:
    for pattern in table:
        if not pattern.isprintable():
            table.refuse(pattern, "is no path of a model: it holds control characters")
    return tuple((pattern, table.read(pattern, _settings)) for pattern in table)


def _settings(table: toml.Table) -> Settings:
    boards = table.texts("board") if isinstance(table.any("board", ""), list) else ()
    if not boards:
        boards = (table.text("board", DEFAULT_BOARD),)
    budgets = {name: table.optional(name, table.converted, BUDGETS[name].parse) for name in BUDGETS}
    options: dict[str, Any] = {name: table.name(name) for name in _NAMES if name in table}
    if "resource_variables" in table:
        options["resource_variables"] = table.whole("resource_variables")
    if "calibration" in table:
        options["calibration"] = table.text("calibration")
    if "resolver" in table:
        options["resolver"] = table.choice("resolver", _RESOLVERS)
    for name in _RESERVES:
        reserve = table.optional(name, table.converted, _bytes)
        options[f"{name}_bytes"] = reserve or 0
    return Settings(_named(boards), Budgets(**budgets), options)


def _named(boards: tuple[str, ...]) -> tuple[str, ...]:
    """Each board once, with the shipped ones in the place of "all" and "calibrated"."""
    found: dict[str, None] = {}
    for board in boards:
        shipped = boards_of(board)
        names = [board] if shipped is None else [item.name for item in shipped]
        found.update(dict.fromkeys(names))
    return tuple(found)


def _place(folder: Path, board: str) -> str:
    """A board's file beside the budgets, else the name or path as it is."""
    path = folder / board
    return str(path) if path.suffix == ".toml" and path.is_file() else board


def _bytes(value: Any, name: str) -> int:
    return parse_quantity(value, BYTE_UNITS, name)


def _matches(folder: Path, pattern: str) -> list[Path]:
    """What a pattern matches, by path; nothing where it is none.

    Raises:
        UsageError: the pattern is malformed.
    """
    if "*" not in pattern and "?" not in pattern:
        return []
    path = folder / pattern
    root = Path(path.anchor) if Path(pattern).is_absolute() else folder
    if any("**" in part and part != "**" for part in path.parts):  # Python takes it from 3.13 on
        raise UsageError(f"{pattern!r} is no pattern of models: ** stands for whole folders")
    try:
        return sorted(root.glob(str(path.relative_to(root))))
    except (ValueError, NotImplementedError) as error:
        raise UsageError(f"{pattern!r} is no pattern of models: {error}") from error
