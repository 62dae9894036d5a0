"""Counts the bytes that a ``flatbuffers.Builder`` would write, without writing them."""

from __future__ import annotations

from typing import Any, NamedTuple

_OFFSET, _VTABLE_ENTRY = 4, 2
"""Bytes of an offset to an object and of a field's place in a table (FlatBuffers, internals)."""


class Added(NamedTuple):
    """What calls added: bytes, the alignment they asked for, and all layouts of tables so far."""

    size_bytes: int
    alignment: int
    vtables: frozenset[tuple[int, ...]]


class SizeBuilder:
    """Takes the calls of a ``flatbuffers.Builder`` and keeps only the length of its output.

    Names of methods are the library's; positions are counted from the end of the file, as there.
    What a call adds hangs on the offset, modulo the alignment, and on the layouts of tables that
    are in the file already.
    """

    def __init__(self, offset: int = 0, vtables: frozenset[tuple[int, ...]] = frozenset()) -> None:
        self._start = offset
        self._offset = offset
        self._alignment = 1
        self._fields: list[int] = []
        self._entries = 0
        self._table_end = 0
        self.vtables = vtables

    @property
    def added(self) -> Added:
        return Added(self._offset - self._start, self._alignment, self.vtables)

    def add(self, added: Added) -> None:
        """What another builder found for the same calls from a like offset."""
        self._offset += added.size_bytes
        self.vtables = added.vtables
        if added.alignment > self._alignment:
            self._alignment = added.alignment

    def Prep(self, size: int, additional: int) -> None:  # noqa: N802
        if size > self._alignment:
            self._alignment = size
        self._offset += -(self._offset + additional) % size

    def Offset(self) -> int:  # noqa: N802
        return self._offset

    def vector(self, count: int, item_bytes: int) -> int:
        """A whole vector of ``count`` items."""
        self.StartVector(item_bytes, count, item_bytes)
        self._offset += count * item_bytes
        return self.EndVector()

    def StartVector(self, item_bytes: int, count: int, alignment: int) -> None:  # noqa: N802
        self.Prep(_OFFSET, item_bytes * count)
        self.Prep(alignment, item_bytes * count)

    def EndVector(self) -> int:  # noqa: N802
        self._offset += _OFFSET
        return self._offset

    def CreateString(self, text: str) -> int:  # noqa: N802
        length = len(text.encode()) + 1
        self.Prep(_OFFSET, length)
        self._offset += length + _OFFSET
        return self._offset

    def PrependUOffsetTRelative(self, position: int) -> None:  # noqa: N802
        self._place(_OFFSET)

    def StartObject(self, fields: int) -> None:  # noqa: N802
        self._fields = []
        self._entries = 0
        self._table_end = self._offset

    def EndObject(self) -> int:  # noqa: N802
        self._place(_OFFSET)
        position = self._offset
        vtable = (position - self._table_end, *self._fields)
        if vtable not in self.vtables:
            self.vtables |= {vtable}
            # Beside the fields a vtable has its own size and the table's.
            self._offset += _VTABLE_ENTRY * (self._entries + 2)
        return position

    def Finish(self, root: int, identifier: bytes) -> None:  # noqa: N802
        self.Prep(self._alignment, _OFFSET + len(identifier))
        self._offset += _OFFSET + len(identifier)

    def PrependUOffsetTRelativeSlot(self, slot: int, value: int, default: int) -> None:  # noqa: N802
        self._slot(slot, value, default, _OFFSET)

    def PrependBoolSlot(self, slot: int, value: Any, default: Any) -> None:  # noqa: N802
        self._slot(slot, value, default, 1)

    PrependInt8Slot = PrependUint8Slot = PrependByteSlot = PrependBoolSlot

    def PrependInt32Slot(self, slot: int, value: Any, default: Any) -> None:  # noqa: N802
        self._slot(slot, value, default, 4)

    PrependUint32Slot = PrependFloat32Slot = PrependInt32Slot

    def PrependInt64Slot(self, slot: int, value: Any, default: Any) -> None:  # noqa: N802
        self._slot(slot, value, default, 8)

    PrependUint64Slot = PrependFloat64Slot = PrependInt64Slot

    def PrependInt16Slot(self, slot: int, value: Any, default: Any) -> None:  # noqa: N802
        self._slot(slot, value, default, 2)

    PrependUint16Slot = PrependInt16Slot

    def _place(self, size: int) -> None:
        if size > self._alignment:
            self._alignment = size
        self._offset += -self._offset % size + size

    def _slot(self, slot: int, value: Any, default: Any, size: int) -> None:
        if value != default:
            self._place(size)
            # A field's slot and place; tables that agree in all of them share a vtable.
            self._fields += (slot, self._offset - self._table_end)
            if slot >= self._entries:
                self._entries = slot + 1
