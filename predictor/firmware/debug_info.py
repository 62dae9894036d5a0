"""Source lines and call frames from an ELF file's DWARF sections.

Where these are missing or damaged, nothing is known of lines and frames.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MAX_FRAMES = 64
STACK_POINTER, LINK_REGISTER = 13, 14


_DAMAGE = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What pyelftools raises on damaged sections beside errors of its own."""


def damage() -> tuple[type[Exception], ...]:
    """All that reading damaged sections may raise."""
    from elftools.common.exceptions import DWARFError, ELFError

    return (ELFError, DWARFError, *_DAMAGE)


def source_line(elf_file: Any, address: int) -> tuple[str | None, int | None]:
    """File name (without folders) and line that an instruction came from, if known."""
    try:
        return _source_line(elf_file, address)
    except damage():
        return None, None


def _source_line(elf_file: Any, address: int) -> tuple[str | None, int | None]:
    if elf_file is None or not elf_file.has_dwarf_info():
        return None, None
    dwarf = elf_file.get_dwarf_info()
    for unit in _units_of(dwarf, address):
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        found = _row_at(program, address)
        if found is not None:
            return _file_name(program, found.file), found.line
    return None, None


def _units_of(dwarf: Any, address: int) -> Iterator[Any]:
    """The compilation unit of an address; all units where the file has no index of them."""
    ranges = dwarf.get_aranges()
    offset = ranges.cu_offset_at_addr(address) if ranges is not None else None
    if offset is not None:
        yield dwarf.get_CU_at(offset)
    else:
        yield from dwarf.iter_CUs()


def _row_at(program: Any, address: int) -> Any:
    previous = None
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if previous is not None and previous.address <= address < state.address:
            return previous
        previous = None if state.end_sequence else state
    return None


def _file_name(program: Any, index: int) -> str | None:
    """Name of a line program's file. DWARF 5 counts files from 0, earlier versions from 1."""
    files = program["file_entry"]
    position = index if program.header.version >= 5 else index - 1
    if not 0 <= position < len(files):
        return None
    name = files[position].name
    return os.path.basename(name.decode("utf-8", "replace") if isinstance(name, bytes) else name)


def return_addresses(
    elf_file: Any, registers: Mapping[int, int], read_word: Callable[[int], int | None]
) -> Iterator[int]:
    """Addresses of the instructions behind each open call, innermost first.

    Follows ``.debug_frame``; where it says nothing, the link register is taken once and the walk
    ends. ``registers`` maps 0..15 to values, ``read_word`` reads the stack (None if it cannot).
    """
    try:
        entries = _frame_entries(elf_file)
    except damage():
        entries = []
    current = dict(registers)
    for depth in range(MAX_FRAMES):
        rules = _rules_at(entries, current[15] - (2 if depth else 0))
        if rules is None:
            if depth == 0:
                yield current[LINK_REGISTER] & ~1
            return
        frame = rules["cfa"]
        if frame.reg not in current:
            return
        base = (current[frame.reg] + frame.offset) & 0xFFFFFFFF
        caller = dict(current)
        caller[STACK_POINTER] = base
        for register in range(LINK_REGISTER + 1):
            rule = rules.get(register)
            if rule is None or rule.type != "OFFSET":
                continue
            value = read_word((base + rule.arg) & 0xFFFFFFFF)
            if value is None:
                return
            caller[register] = value
        address = caller[LINK_REGISTER] & ~1
        if address >= 0xFFFFFF00 or address == 0 or base <= current[STACK_POINTER] - 1:
            return
        yield address
        caller[15] = address
        caller[LINK_REGISTER] = 0
        current = caller


def _frame_entries(elf_file: Any) -> list[Any]:
    if elf_file is None or not elf_file.has_dwarf_info():
        return []
    dwarf = elf_file.get_dwarf_info()
    if not dwarf.has_CFI():
        return []
    from elftools.dwarf.callframe import FDE

    return [entry for entry in dwarf.CFI_entries() if isinstance(entry, FDE)]


def _rules_at(entries: list[Any], address: int) -> Any:
    for entry in entries:
        begin = entry["initial_location"]
        if begin <= address < begin + entry["address_range"]:
            try:
                table = entry.get_decoded().table
            except damage():
                return None
            rows = [row for row in table if row["pc"] <= address]
            return rows[-1] if rows else None
    return None
