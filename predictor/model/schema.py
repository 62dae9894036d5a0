"""The TensorFlow Lite schema: names of operators, tables and their fields, from ``schema.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3

_CONTENT = json.loads(Path(__file__).with_name("schema.json").read_text(encoding="utf-8"))
_VECTOR = "vector of "
NUMBERS: Mapping[str, Struct] = {
    kind: Struct("<" + code)
    for kind, code in (
        ("bool", "?"),
        ("int8", "b"),
        ("uint8", "B"),
        ("int16", "h"),
        ("uint16", "H"),
        ("int32", "i"),
        ("uint32", "I"),
        ("int64", "q"),
        ("uint64", "Q"),
        ("float32", "f"),
        ("float64", "d"),
    )
}
"""How numbers lie in a file."""


class Field(NamedTuple):
    """A field of a table.

    ``kind`` is that of a number ("int32", "bool", ...), "string", "table", "union", or that of
    the elements of a vector. ``default`` is what an absent number stands for.
    """

    slot: int
    name: str
    kind: str
    is_vector: bool
    default: Any

    @property
    def is_number(self) -> bool:
        """Whether it is a single number."""
        return self.kind in NUMBERS and not self.is_vector


def enum(name: str) -> Mapping[str, int]:
    """The values of an enumeration, by name."""
    values: Mapping[str, int] = _CONTENT["enums"][name]
    return values


def _names(name: str) -> dict[int, str]:
    return {value: key for key, value in enum(name).items()}


BUILTIN_NAMES = _names("BuiltinOperator")
OPTIONS_NAMES = _names("BuiltinOptions")
OPTIONS2_NAMES = _names("BuiltinOptions2")


@cache
def fields(table: str) -> Mapping[str, Field]:
    """The fields of a table by name, in the order of their slots."""
    rows = enumerate(_CONTENT["tables"][table])
    return {
        row[0]: Field(
            slot, row[0], row[1].removeprefix(_VECTOR), row[1].startswith(_VECTOR), row[2]
        )
        for slot, row in rows
        if row is not None
    }


@cache
def options_fields(table: str) -> tuple[Field, ...]:
    """Fields of an options table that hold numbers, text or numbers in a vector."""
    return tuple(
        field
        for field in fields(table).values()
        if field.kind in NUMBERS or (field.kind == "string" and not field.is_vector)
    )
