"""The symbols of an ELF file for a 32-bit little-endian processor."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

_SYMBOL = struct.Struct("<IIIBBH")
"""Elf32_Sym: name, value, size, info, other, section."""
_UNDEFINED = 0
"""SHN_UNDEF."""


def symbol_table(file: Any) -> Iterator[tuple[str, int, int, int]]:
    """(name, address, size, kind and binding) of each symbol that a pyelftools file defines.

    A firmware has thousands; unpacked here they take a hundredth of what pyelftools takes.

    Raises:
        ValueError: the table is malformed.
    """
    table: Any = file.get_section_by_name(".symtab")
    if table is None:
        return
    if table["sh_entsize"] != _SYMBOL.size or table["sh_size"] % _SYMBOL.size:
        raise ValueError("its symbol table is malformed")
    names: bytes = file.get_section(table["sh_link"]).data()
    for start, address, size, info, _, section in _SYMBOL.iter_unpack(table.data()):
        if section != _UNDEFINED:
            name = names[start : names.index(b"\0", start)]
            yield name.decode("utf-8", "replace"), address, size, info
