"""Writes ``predictor/model/schema.json`` from the ``tflite`` package, which lacks types of fields.

They show only in which decoder an accessor calls: each accessor reads a probe that notes it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import tflite

FILE = Path(__file__).resolve().parents[1] / "predictor/model/schema.json"
_ENUMS = (
    "ActivationFunctionType", "BuiltinOperator", "BuiltinOptions", "BuiltinOptions2", "Padding"
)  # fmt: skip
_TABLES = (
    "Model", "OperatorCode", "SubGraph", "Tensor", "QuantizationParameters", "Operator", "Buffer",
    "Metadata",
)  # fmt: skip
_DERIVED = ("IsNone", "Length", "AsNumpy")


class _Probe:
    """Stands in for a flatbuffer table and notes what an accessor asks of it."""

    Pos = 0

    def __init__(self, is_present: bool) -> None:
        self._is_present = is_present
        self.slot = -1
        self.kind = ""

    def Offset(self, vtable_offset: int) -> int:  # noqa: N802 - names that accessors call
        if self.slot < 0:  # BuiltinCode goes on to look at the older code
            self.slot = vtable_offset // 2 - 2
        return int(self._is_present)

    def Get(self, number: Any, _: int) -> int:  # noqa: N802
        if self.kind in ("", "vector of "):
            self.kind += number.name
        return 0

    def String(self, _: int) -> bytes:  # noqa: N802
        self.kind = "string"
        return b""

    def Vector(self, _: int) -> int:  # noqa: N802
        self.kind = "vector of "
        return 0

    def Indirect(self, _: int) -> int:  # noqa: N802
        self.kind += "table"
        return 0

    def Union(self, _: Any, __: int) -> None:  # noqa: N802
        self.kind = "union"

    @property
    def Bytes(self) -> bytes:  # noqa: N802
        return b""


def _field(table: str, accessor: str) -> tuple[int, str, Any]:
    """(slot, kind, default) of a field."""
    found = []
    for is_present in (True, False):
        probe, reader = _Probe(is_present), getattr(tflite, table)()
        reader._tab = probe
        try:
            value = getattr(reader, accessor)()
        except TypeError:
            value = getattr(reader, accessor)(0)
        found.append((probe, value))
    (probe, _), (_, default) = found
    is_number = not probe.kind.startswith("vector") and isinstance(default, int | float)
    return probe.slot, probe.kind, default if is_number else None


def _fields(table: str) -> list[list[Any] | None]:
    """[name, kind, default] by slot, None for slots without a field."""
    accessors = [
        name
        for name, value in vars(getattr(tflite, table)).items()
        if callable(value) and name[0].isupper() and name != "Init"
    ]
    vectors = {name.removesuffix("IsNone") for name in accessors if name.endswith("IsNone")}
    derived = {vector + suffix for vector in vectors for suffix in _DERIVED}
    rows: dict[int, list[Any]] = {}
    for accessor in accessors:
        if accessor not in derived:
            slot, kind, default = _field(table, accessor)
            rows[slot] = [_snake_case(accessor), kind, default]
    return [rows.get(slot) for slot in range(max(rows, default=-1) + 1)]


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def schema() -> dict[str, Any]:
    """Enumerations with their values, and tables with their fields."""
    enums = {
        name: {key: value for key, value in vars(getattr(tflite, name)).items() if key[0] != "_"}
        for name in _ENUMS
    }
    options = [*enums["BuiltinOptions"], *enums["BuiltinOptions2"]]
    tables = [*_TABLES, *(name for name in options if name != "NONE")]
    return {
        "source": "tensorflow/compiler/mlir/lite/schema/schema.fbs, "
        f"by the tflite package {tflite.__version__}",
        "enums": enums,
        "tables": {name: _fields(name) for name in tables},
    }


def text() -> str:
    """The file, a line for each table."""
    found = schema()
    lines = [f' "{key}": {json.dumps(found[key])}' for key in ("source",)]
    for key in ("enums", "tables"):
        rows = [f'  "{name}": {json.dumps(item)}' for name, item in found[key].items()]
        lines.append(f' "{key}": {{\n' + ",\n".join(rows) + "\n }")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(text())
