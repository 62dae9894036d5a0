"""Tables of a flatbuffer, checked: nothing outside the file is read, and reading is bounded.

Flatbuffers are not self-checking, so every table, vector and string is held against the file
before it is used. Many offsets may lead to one place, so that a small file can stand for a huge
model: tables and elements are counted each time they are read, and their number is bounded by the
size of the file. A hostile file costs little time and memory and ends in a ``ModelError``. The
format: https://flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from predictor.errors import ModelError
from predictor.model.schema import NUMBERS, fields
from predictor.records import dataclass

_OFFSET = struct.Struct("<I")
_unpack_offset = _OFFSET.unpack_from
_unpack_vtable = struct.Struct("<i").unpack_from
_VTABLE_HEAD = struct.Struct("<HH")
_OFFSET_CODE = _OFFSET.format[-1]
_ALWAYS = 1 << 16
"""Elements that files of any size may have."""
_TABLE_BYTES = 16
"""A table, its part of a vector and what it leads to take more than this in any file as written by
a converter."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a field lies: its position among the values of its table, its offset in bytes, and of
    the numbers that it or its vector holds how they lie in a file and their bytes."""

    value: int
    offset: int
    code: str
    item_bytes: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a vtable says of the tables of a kind.

    ``values`` unpacks all fields that are present, numbers and offsets to others, from the
    position of a table. ``outside`` names fields that claim to lie outside it.
    """

    kind: str
    table_bytes: int
    places: dict[str, _Place]
    outside: frozenset[str]
    values: Callable[[bytes, int], tuple[Any, ...]]


@lru_cache(maxsize=1024)
def _layout(kind: str, table_bytes: int, offsets: tuple[int, ...]) -> _Layout:
    """``offsets`` are those of the fields by their slot, 0 for absent ones."""
    places: dict[str, _Place] = {}
    outside: set[str] = set()
    held: list[tuple[int, struct.Struct]] = []
    present = [(offsets[f.slot], f) for f in fields(kind).values() if f.slot < len(offsets)]
    for offset, field in sorted(present):
        form = NUMBERS.get(field.kind, _OFFSET)
        own = form if field.is_number else _OFFSET
        if offset and offset + own.size > table_bytes:
            outside.add(field.name)
        elif offset:
            places[field.name] = _Place(len(held), offset, form.format[-1], form.size)
            held.append((offset, own))
    return _Layout(kind, table_bytes, places, frozenset(outside), _unpacker(held))


def _unpacker(held: list[tuple[int, struct.Struct]]) -> Callable[[bytes, int], tuple[Any, ...]]:
    """Unpacks numbers at their offsets, in one go where none lies over another."""
    form, end = "<", 0
    for offset, each in held:
        if offset < end:
            return lambda content, position: tuple(
                each.unpack_from(content, position + offset)[0] for offset, each in held
            )
        form += f"{offset - end}x{each.format[-1]}"
        end = offset + each.size
    return struct.Struct(form).unpack_from


class Flatbuffer:
    """A file, and what may still be read of it. ``last``: where the last offset may lie."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.view = memoryview(content)
        self.last = len(content) - 4
        self._tables = _ALWAYS // _TABLE_BYTES + len(content) // _TABLE_BYTES
        self._elements = _ALWAYS + 2 * len(content)
        self._layouts: defaultdict[str, dict[int, _Layout]] = defaultdict(dict)
        self._vectors: defaultdict[str, dict[int, tuple[Any, ...]]] = defaultdict(dict)

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

    def vector(self, target: int, item_bytes: int, name: str, table: Table) -> int:
        """How many elements the vector or string at a position has.

        Raises:
            ModelError: it does not lie in the file.
        """
        if target > self.last:
            raise ModelError(
                f"damaged flatbuffer: {name} of {table.what}: an offset leads outside the file"
            )
        count: int = _unpack_offset(self.content, target)[0]
        if target + count * item_bytes > self.last:
            raise ModelError(
                f"damaged flatbuffer: {name} of {table.what} claims {count:,} entries in a file of "
                f"{len(self.content):,} bytes"
            )
        return count

    def numbers(self, target: int, place: _Place, name: str, table: Table) -> tuple[Any, ...]:
        """The elements of a vector of numbers; those of one that is read again are the same.

        Raises:
            ModelError: it does not lie in the file, or there was too much to read.
        """
        known = self._vectors[place.code]
        found = known.get(target)
        if found is None:
            count = self.vector(target, place.item_bytes, name, table)
            self._elements -= count
            if self._elements < 0:
                self.spend()
            found = struct.unpack_from(f"<{count}{place.code}", self.content, target + 4)
            known[target] = found
            return found
        self.spend(elements=len(found))
        return found

    def layout(self, kind: str, position: int, table: Table) -> _Layout:
        """Where the fields of a table lie.

        Raises:
            ModelError: the table or its vtable do not lie in the file.
        """
        if not 4 <= position <= self.last:
            raise ModelError(f"damaged flatbuffer: {table.what} lies outside the file")
        vtable = position - _unpack_vtable(self.content, position)[0]
        known = self._layouts[kind]
        found = known.get(vtable)
        if found is None:
            found = known[vtable] = self._read_layout(kind, vtable, table)
        if position + found.table_bytes > self.last + 4:
            raise ModelError(f"damaged flatbuffer: {table.what} reaches beyond the end of the file")
        return found

    def _read_layout(self, kind: str, vtable: int, table: Table) -> _Layout:
        content, end = self.content, len(self.content)
        if not 4 <= vtable <= end - 4:
            raise ModelError(
                f"damaged flatbuffer: the vtable of {table.what} lies outside the file"
            )
        vtable_bytes, table_bytes = _VTABLE_HEAD.unpack_from(content, vtable)
        if vtable_bytes < 4 or vtable_bytes % 2 or vtable + vtable_bytes > end:
            raise ModelError(f"damaged flatbuffer: the vtable of {table.what} is malformed")
        offsets = struct.unpack_from(f"<{vtable_bytes // 2 - 2}H", content, vtable + 4)
        if table_bytes < 4:
            raise ModelError(f"damaged flatbuffer: {table.what} has no room for its vtable")
        if max(offsets, default=0) >= table_bytes:
            raise ModelError(f"damaged flatbuffer: a field of {table.what} lies outside its table")
        return _layout(kind, table_bytes, offsets)


class Table:
    """One table of a file.

    Args:
        kind: its name in the schema.
        what: what it is called in errors; ``number``: which of them, where there are several.

    Raises:
        ModelError: it does not lie in the file. All methods raise it where that is so of a field.
    """

    __slots__ = ("_file", "_layout", "_number", "_values", "_what", "position")

    def __init__(
        self, file: Flatbuffer, kind: str, position: int, what: str, number: int | None = None
    ) -> None:
        self._what, self._number = what, number
        self._file = file
        self.position = position
        self._layout = layout = file.layout(kind, position, self)
        self._values = layout.values(file.content, position)

    @property
    def what(self) -> str:
        """What it is called in errors."""
        return self._what if self._number is None else f"{self._what} {self._number}"

    @property
    def inline(self) -> tuple[int, bytes]:
        """Layout and bytes of the table itself: equal ones of a kind hold equal numbers."""
        start, end = self.position + 4, self.position + self._layout.table_bytes
        return id(self._layout), self._file.content[start:end]

    def has(self, name: str) -> bool:
        """Whether a field is present."""
        return name in self._layout.places or name in self._layout.outside

    def number(self, name: str) -> Any:
        """A number, its default where it is absent."""
        place = self._layout.places.get(name)
        if place is None:
            self._check_absent(name)
            return fields(self._layout.kind)[name].default
        return self._values[place.value]

    def _check_absent(self, name: str) -> None:
        if name in self._layout.outside:
            raise ModelError(f"damaged flatbuffer: a field of {self.what} lies outside its table")

    def _target(self, name: str) -> int:
        """The position to which an offset leads, 0 where the field is absent."""
        place = self._layout.places.get(name)
        if place is None:
            self._check_absent(name)
            return 0
        target: int = self.position + place.offset + self._values[place.value]
        return target

    def numbers(self, name: str) -> tuple[Any, ...]:
        """The elements of a vector of numbers, () where it is absent."""
        place = self._layout.places.get(name)
        if place is None:
            self._check_absent(name)
            return ()
        target = self.position + place.offset + self._values[place.value]
        return self._file.numbers(target, place, name, self)

    def bytes(self, name: str) -> memoryview | None:
        """The bytes of a vector without copying; None where it is absent or empty."""
        target = self._target(name)
        count = self._file.vector(target, 1, name, self) if target else 0
        return self._file.view[target + 4 : target + 4 + count] if count else None

    def text(self, name: str) -> str | None:
        """A string, None where it is absent; what is not UTF-8 is replaced."""
        target = self._target(name)
        if not target:
            return None
        file = self._file
        count = file.vector(target, 1, name, self)
        file.spend(elements=count)
        return file.content[target + 4 : target + 4 + count].decode("utf-8", errors="replace")

    def table(self, name: str, kind: str, what: str, number: int | None = None) -> Table | None:
        """Another table, or that of a union; None where it is absent."""
        target = self._target(name)
        return Table(self._file, kind, target, what, number) if target else None

    def tables(self, name: str, kind: str, what: str, weight: int = 1) -> Iterator[Table]:
        """The tables of a vector of tables; of them ``what`` and their number tell.

        Args:
            weight: as how many tables each counts.
        """
        file, target = self._file, self._target(name)
        count = file.vector(target, 4, name, self) if target else 0
        file.spend(tables=weight * count)
        offsets = struct.unpack_from(f"<{count}{_OFFSET_CODE}", file.content, target + 4)
        for index, offset in enumerate(offsets):
            yield Table(file, kind, target + 4 + 4 * index + offset, what, index)
