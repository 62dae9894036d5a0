"""Forms of a result that are made in rooms above it, found by name.

A result has its views as methods, and no module of a result imports one of its forms: where they
are made is written down once, in the package's ``__init__``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]
_HOMES: dict[str, tuple[str, str]] = {}


def register_views(homes: dict[str, tuple[str, str]]) -> None:
    """Adds views: the name of each with the module and the function that makes it."""
    _HOMES.update(homes)


def view(name: str) -> Callable[[Any], Any]:
    """The function that makes a view of a result."""
    module, function = _HOMES[name]
    made: Callable[[Any], Any] = getattr(import_module(module), function)
    return made
