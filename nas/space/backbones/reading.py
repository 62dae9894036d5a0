"""Reads values of recipe tables, with errors that name the key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from predictor.errors import UsageError


def check_keys(table: dict[str, Any], known: Sequence[str], where: str) -> None:
    """Raises UsageError at a key that is not known."""
    for key in table:
        if key not in known:
            raise UsageError(f"{where} has the unknown key {key!r}; known: {', '.join(known)}")


def whole(table: dict[str, Any], key: str, default: int | None, where: str, least: int = 1) -> int:
    """A whole number from ``least`` on."""
    value = table.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UsageError(f"{where}.{key} must be a whole number from {least} on, not {value!r}")
    return value


def number(
    table: dict[str, Any], key: str, default: float, where: str, least: float = 0.0
) -> float:
    """A finite number from ``least`` on."""
    value = table.get(key, default)
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or not (least <= value < float("inf"))
    ):
        raise UsageError(f"{where}.{key} must be a number from {least} on, not {value!r}")
    return float(value)


def flag(table: dict[str, Any], key: str, default: bool, where: str) -> bool:
    value = table.get(key, default)
    if not isinstance(value, bool):
        raise UsageError(f"{where}.{key} must be true or false, not {value!r}")
    return value


def wholes(table: dict[str, Any], key: str, default: Sequence[int], where: str) -> tuple[int, ...]:
    """A non-empty list of positive whole numbers."""
    value = table.get(key, list(default))
    good = (
        isinstance(value, list)
        and value
        and all(isinstance(item, int) and not isinstance(item, bool) and item > 0 for item in value)
    )
    if not good:
        raise UsageError(f"{where}.{key} must be a list of positive whole numbers, not {value!r}")
    return tuple(value)


def pair(table: dict[str, Any], key: str, default: Sequence[int], where: str) -> tuple[int, int]:
    """Two positive whole numbers."""
    values = wholes(table, key, default, where)
    if len(values) != 2:
        raise UsageError(f"{where}.{key} must be two whole numbers, not {list(values)}")
    return values[0], values[1]


def fractions(
    table: dict[str, Any], key: str, default: Sequence[float], where: str
) -> tuple[float, ...]:
    """A non-empty list of numbers in (0, 1]."""
    value = table.get(key, list(default))
    good = (
        isinstance(value, list)
        and value
        and all(
            isinstance(item, int | float) and not isinstance(item, bool) and 0 < item <= 1
            for item in value
        )
    )
    if not good:
        raise UsageError(f"{where}.{key} must be a list of numbers in (0, 1], not {value!r}")
    return tuple(float(item) for item in value)
