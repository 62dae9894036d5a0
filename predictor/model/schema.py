"""Names and tables of the TensorFlow Lite schema, as the ``tflite`` package holds them."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

import tflite

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3


def _enum_names(schema_enum: type) -> dict[int, str]:
    return {value: name for name, value in vars(schema_enum).items() if isinstance(value, int)}


BUILTIN_NAMES = _enum_names(tflite.BuiltinOperator)
OPTIONS_NAMES = _enum_names(tflite.BuiltinOptions)
OPTIONS2_NAMES = _enum_names(tflite.BuiltinOptions2)


class OptionsField(NamedTuple):
    """A field of an options table: its accessor in ``tflite``, and its name in snake case."""

    accessor: str
    name: str
    is_vector: bool


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@cache
def options_fields(class_name: str) -> tuple[OptionsField, ...]:
    """Fields of an options table; vectors of anything but numbers are left out."""
    accessors = [
        name
        for name, value in vars(getattr(tflite, class_name)).items()
        if callable(value) and name[0].isupper()
    ]
    vectors = {name.removesuffix("IsNone") for name in accessors if name.endswith("IsNone")}
    derived = {v + suffix for v in vectors for suffix in ("IsNone", "Length", "AsNumpy")}
    return tuple(
        OptionsField(name, _snake_case(name), name in vectors)
        for name in accessors
        if name not in derived
        and name != "Init"
        and (name not in vectors or name + "AsNumpy" in accessors)
    )


class _FieldProbe:
    """Stands in for a flatbuffer table and notes how an accessor reads its field."""

    Pos = 0

    def __init__(self) -> None:
        self.number_type: Any = None
        self.is_string = False

    def Offset(self, _: int) -> int:  # noqa: N802 - the name that accessors call
        return 1

    def String(self, _: int) -> bytes:  # noqa: N802
        self.is_string = True
        return b""

    def Get(self, number_type: Any, _: int) -> int:  # noqa: N802
        self.number_type = number_type
        return 0

    def GetVectorAsNumpy(self, number_type: Any, _: int) -> int:  # noqa: N802
        self.number_type = number_type
        return 0


@cache
def field_type(class_name: str, field: OptionsField) -> str:
    """The numpy name of a field's numbers ("int32", "bool", ...), or "string".

    The ``tflite`` package does not publish the types of its fields: they show only in which
    decoder an accessor calls.
    """
    probe = _FieldProbe()
    table = getattr(tflite, class_name)()
    table._tab = probe
    getattr(table, field.accessor + ("AsNumpy" if field.is_vector else ""))()
    return "string" if probe.is_string else str(probe.number_type.name)
