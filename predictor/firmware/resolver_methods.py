"""How operators are registered with a TFLM of which no sources are at hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from predictor import toml
from predictor.firmware.op_resolver import LinkableOperator

_FILE = Path(__file__).with_suffix(".toml")


def known_operators() -> tuple[LinkableOperator, ...]:
    """Operators of TFLM since 2023, with the methods of its resolver; those of one revision are
    the ones that it does not lack."""
    tables = _tables()
    return tuple(
        LinkableOperator(name, method, is_custom, 0)
        for kind, is_custom in (("builtin", False), ("custom", True))
        for name, method in tables[kind].items()
    )


def operators_of_2020(labels: Iterable[str]) -> tuple[LinkableOperator, ...]:
    """The same for TFLM of 2020, whose registrations are called as the operators are."""
    return tuple(LinkableOperator(label, f"Register_{label}", False, 0) for label in sorted(labels))


@cache
def _tables() -> Mapping[str, Mapping[str, str]]:
    with _FILE.open("rb") as file:
        return toml.load(file)
