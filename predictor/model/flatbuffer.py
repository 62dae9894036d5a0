"""Tables of a flatbuffer, checked: nothing outside the file is read, and reading is bounded.

Flatbuffers are not self-checking, so every table, vector and string is held against the file
before it is used. Many offsets may lead to one place, so that a small file can stand for a huge
model: tables and elements are counted each time they are read, and their number is bounded by the
size of the file. A hostile file costs little time and memory and ends in a ``ModelError``. The
format: https://flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from predictor.errors import ModelError
from predictor.model.schema import NUMBERS, Field, fields

_OFFSET = struct.Struct("<I")
_VTABLE_OFFSET = struct.Struct("<i")
_VTABLE_HEAD = struct.Struct("<HH")
_ALWAYS = 1 << 16
"""Elements that files of any size may have."""
_TABLE_BYTES = 16
"""A table, its part of a vector and what it leads to take more than this in any file as written by
a converter."""


class Flatbuffer:
    """A file, and what may still be read of it."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.view = memoryview(content)
        self._tables = _ALWAYS // _TABLE_BYTES + len(content) // _TABLE_BYTES
        self._elements = _ALWAYS + 2 * len(content)
        self._layouts: dict[int, tuple[tuple[int, ...], int]] = {}
        self._vectors: dict[tuple[int, str], tuple[Any, ...]] = {}

    def root(self, kind: str, what: str) -> Table:
        """The table that the file starts with."""
        return Table(self, kind, _OFFSET.unpack_from(self.content)[0], what)

    def spend(self, tables: int = 0, elements: int = 0) -> None:
        """Counts what is about to be read.

        Raises:
            ModelError: there was too much.
        """
        self._tables -= tables
        self._elements -= elements
        if self._tables < 0 or self._elements < 0:
            raise ModelError(
                "damaged flatbuffer: its vectors together claim far more elements than the "
                "file can hold"
            )

    def numbers(self, first: int, count: int, code: str) -> tuple[Any, ...]:
        """The elements of a vector; equal ones of vectors that are read again."""
        self.spend(elements=count)
        key = first, code
        found = self._vectors.get(key)
        if found is None:
            found = struct.unpack_from(f"<{count}{code}", self.content, first)
            self._vectors[key] = found
        return found

    def layout(self, position: int, what: str) -> tuple[tuple[int, ...], int]:
        """Where the fields of a table lie (0 for absent ones), and the table's length.

        Raises:
            ModelError: the table or its vtable do not lie in the file.
        """
        content, end = self.content, len(self.content)
        if not 4 <= position <= end - 4:
            raise ModelError(f"damaged flatbuffer: {what} lies outside the file")
        vtable = position - _VTABLE_OFFSET.unpack_from(content, position)[0]
        found = self._layouts.get(vtable)
        if found is None:
            if not 4 <= vtable <= end - 4:
                raise ModelError(f"damaged flatbuffer: the vtable of {what} lies outside the file")
            vtable_bytes, table_bytes = _VTABLE_HEAD.unpack_from(content, vtable)
            if vtable_bytes < 4 or vtable_bytes % 2 or vtable + vtable_bytes > end:
                raise ModelError(f"damaged flatbuffer: the vtable of {what} is malformed")
            offsets = struct.unpack_from(f"<{vtable_bytes // 2 - 2}H", content, vtable + 4)
            if max(offsets, default=0) >= table_bytes:
                raise ModelError(f"damaged flatbuffer: a field of {what} lies outside its table")
            found = self._layouts[vtable] = offsets, table_bytes
        if found[1] < 4 or position + found[1] > end:
            raise ModelError(f"damaged flatbuffer: {what} reaches beyond the end of the file")
        return found


class Table:
    """One table of a file.

    Args:
        kind: its name in the schema.
        what: what it is called in errors.

    Raises:
        ModelError: it does not lie in the file. All methods raise it where that is so of a field.
    """

    __slots__ = ("_fields", "_file", "_offsets", "_size", "position", "what")

    def __init__(self, file: Flatbuffer, kind: str, position: int, what: str) -> None:
        self.what = what
        self._file = file
        self._fields = fields(kind)
        self.position = position
        self._offsets, self._size = file.layout(position, what)

    @property
    def inline(self) -> tuple[tuple[int, ...], bytes]:
        """Layout and bytes of the table itself: equal ones of a kind hold equal numbers."""
        return self._offsets, self._file.content[self.position + 4 : self.position + self._size]

    def has(self, name: str) -> bool:
        """Whether a field is present."""
        return bool(self._offset(self._fields[name]))

    def _offset(self, field: Field) -> int:
        """Where a field lies in the table, 0 where it is absent."""
        slot, offsets = field.slot, self._offsets
        return offsets[slot] if slot < len(offsets) else 0

    def number(self, name: str) -> Any:
        """A number, its default where it is absent."""
        field = self._fields[name]
        offset = self._offset(field)
        if not offset:
            return field.default
        form = NUMBERS[field.kind]
        if offset + form.size > self._size:
            self._outside(name)
        return form.unpack_from(self._file.content, self.position + offset)[0]

    def _outside(self, name: str) -> None:
        raise ModelError(f"damaged flatbuffer: a field of {self.what} lies outside its table")

    def _target(self, name: str) -> int:
        """The position to which an offset leads, 0 where the field is absent."""
        offset = self._offset(self._fields[name])
        if not offset:
            return 0
        if offset + 4 > self._size:
            self._outside(name)
        position = self.position + offset
        target: int = position + _OFFSET.unpack_from(self._file.content, position)[0]
        if target > len(self._file.content) - 4:
            raise ModelError(
                f"damaged flatbuffer: {name} of {self.what}: an offset leads outside the file"
            )
        return target

    def _vector(self, name: str, item_bytes: int) -> tuple[int, int]:
        """(first element, count) of a vector or string."""
        target = self._target(name)
        if not target:
            return 0, 0
        content = self._file.content
        count: int = _OFFSET.unpack_from(content, target)[0]
        if target + 4 + count * item_bytes > len(content):
            raise ModelError(
                f"damaged flatbuffer: {name} of {self.what} claims {count:,} entries in a file of "
                f"{len(content):,} bytes"
            )
        return target + 4, count

    def numbers(self, name: str) -> tuple[Any, ...]:
        """The elements of a vector of numbers, () where it is absent."""
        form = NUMBERS[self._fields[name].kind]
        first, count = self._vector(name, form.size)
        return self._file.numbers(first, count, form.format[-1]) if count else ()

    def bytes(self, name: str) -> memoryview | None:
        """The bytes of a vector without copying; None where it is absent or empty."""
        first, count = self._vector(name, 1)
        return self._file.view[first : first + count] if count else None

    def text(self, name: str) -> str | None:
        """A string, None where it is absent; what is not UTF-8 is replaced."""
        first, count = self._vector(name, 1)
        if not first:
            return None
        self._file.spend(elements=count)
        return self._file.content[first : first + count].decode("utf-8", errors="replace")

    def table(self, name: str, kind: str, what: str) -> Table | None:
        """Another table, or that of a union; None where it is absent."""
        target = self._target(name)
        return Table(self._file, kind, target, what) if target else None

    def tables(self, name: str, kind: str, what: str) -> Iterator[Table]:
        """The tables of a vector of tables; of them ``what`` and their number tell."""
        first, count = self._vector(name, 4)
        self._file.spend(tables=count)
        content = self._file.content
        for index in range(count):
            position = first + 4 * index
            target = position + _OFFSET.unpack_from(content, position)[0]
            yield Table(self._file, kind, target, f"{what} {index}")
