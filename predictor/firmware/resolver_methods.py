"""How operators are registered with a TFLM of which no sources are at hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from predictor import toml
from predictor.firmware.op_resolver import LinkableOperator
from predictor.model.device.names import PREFIX
from predictor.model.graph import CUSTOM_PREFIX

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
    """The same for TFLM of 2020, whose registrations are called as the operators are, but for those
    of the project's kernels."""
    names = ((label.removeprefix(CUSTOM_PREFIX), label) for label in sorted(labels))
    return tuple(
        LinkableOperator(name, f"Register_{name}", name != label, 0)
        for name, label in names
        if not name.startswith(PREFIX)
    )


@cache
def _tables() -> Mapping[str, Mapping[str, str]]:
    with _FILE.open("rb") as file:
        return toml.load(file)
