"""Segments and symbols of an ELF file for a 32-bit little-endian processor.

Each emulation reads them. pyelftools, which knows all of ELF, takes longer to be imported than
this to read a firmware; it reads debug information where that is asked for. Layouts are those of
the System V ABI, chapters 4 and 5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_HEADER = struct.Struct("<16s2H5I6H")
_SEGMENT = struct.Struct("<8I")
_SECTION = struct.Struct("<10I")
_SYMBOL = struct.Struct("<3I2BH")
_IDENT = b"\x7fELF\x01\x01"
"""Magic number, ELFCLASS32, ELFDATA2LSB."""
_SYMBOL_TABLE = 2
"""SHT_SYMTAB."""
_UNDEFINED = 0
"""SHN_UNDEF."""


class Header(NamedTuple):
    """``Elf32_Ehdr``, in part; offsets in bytes."""

    type: int
    machine: int
    flags: int
    segments_offset: int
    segment_count: int
    sections_offset: int
    section_count: int


class ProgramHeader(NamedTuple):
    """``Elf32_Phdr`` with the segment's bytes in the file."""

    type: int
    virtual_address: int
    physical_address: int
    memory_bytes: int
    flags: int
    data: bytes


class Elf32:
    """A file, of which nothing outside is read.

    Raises:
        ValueError: it is no such file or damaged. All methods raise it.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        if not content.startswith(_IDENT):
            raise ValueError("it is none for a 32-bit little-endian processor")
        fields = _HEADER.unpack(self._part(0, _HEADER.size, "header"))
        _, kind, machine, _, _, segments, sections, flags, _, *table = fields
        _, segment_count, _, section_count, _ = table
        self.header = Header(kind, machine, flags, segments, segment_count, sections, section_count)

    def _part(self, offset: int, size: int, what: str) -> bytes:
        if offset + size > len(self._content):
            raise ValueError(f"its {what} reaches beyond the end of the file")
        return self._content[offset : offset + size]

    def segments(self) -> Iterator[ProgramHeader]:
        """The program headers, in their order."""
        size = self.header.segment_count * _SEGMENT.size
        table = self._part(self.header.segments_offset, size, "table of segments")
        for kind, offset, virtual, physical, size, memory, flags, _ in _SEGMENT.iter_unpack(table):
            data = self._part(offset, size, "segment")
            yield ProgramHeader(kind, virtual, physical, memory, flags, data)

    def symbols(self) -> Iterator[tuple[str, int, int, int]]:
        """(name, address, size, kind and binding) of each symbol that the file defines."""
        size = self.header.section_count * _SECTION.size
        table = self._part(self.header.sections_offset, size, "table of sections")
        sections = list(_SECTION.iter_unpack(table))
        found = next((it for it in sections if it[1] == _SYMBOL_TABLE), None)
        if found is None:
            return
        _, _, _, _, offset, size, link, _, _, entry_bytes = found
        if entry_bytes != _SYMBOL.size or size % _SYMBOL.size or link >= len(sections):
            raise ValueError("its symbol table is malformed")
        rows = self._part(offset, size, "symbol table")
        names = self._part(sections[link][4], sections[link][5], "table of names")
        for start, address, size, info, _, section in _SYMBOL.iter_unpack(rows):
            if section != _UNDEFINED:
                name = names[start : names.index(b"\0", start)]
                yield name.decode("utf-8", "replace"), address, size, info
