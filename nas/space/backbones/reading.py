"""Lists of a recipe's backbone table."""

from __future__ import annotations

from collections.abc import Sequence

from predictor.toml import Table

_MOST_OPTIONS = 64
"""Each is an operator or a width of its own in the supernet."""


def wholes(table: Table, key: str, most: int, default: Sequence[int]) -> tuple[int, ...]:
    """Whole numbers from 1 to ``most``."""
    values = table.wholes(key, 1, most, default)
    _check_length(table, key, values)
    return values


def pair(table: Table, key: str, most: int, default: Sequence[int]) -> tuple[int, int]:
    """Two whole numbers from 1 to ``most``."""
    values = table.wholes(key, 1, most, default)
    if len(values) != 2:
        table.refuse(key, f"must be two whole numbers, not {list(values)}")
    return values[0], values[1]


def fractions(table: Table, key: str, default: Sequence[float]) -> tuple[float, ...]:
    """Numbers above 0 and up to 1."""
    values = table.numbers(key, 0, 1, default)
    _check_length(table, key, values)
    if 0 in values:
        table.refuse(key, "must be numbers above 0 and up to 1")
    return values


def _check_length(table: Table, key: str, values: Sequence[float]) -> None:
    if not 1 <= len(values) <= _MOST_OPTIONS:
        table.refuse(key, f"must have 1 to {_MOST_OPTIONS} entries, not {len(values)}")
