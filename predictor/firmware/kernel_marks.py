"""By which functions of a program its kernel set is told."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from predictor import toml

_FILE = Path(__file__).with_suffix(".toml")


@cache
def kernel_marks() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """For each kernel set and operator the functions of which one is linked where the operator runs
    with it. A kernel set without marks, such as the reference kernels, is what is left."""
    with _FILE.open("rb") as file:
        tables = toml.load(file)
    return {
        kernels: {operator: tuple(names) for operator, names in table.items()}
        for kernels, table in tables.items()
    }
