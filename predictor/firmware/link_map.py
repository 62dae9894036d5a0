"""What a map that GNU ld wrote says of a program: functions and objects, and where they lie.

Beside names with addresses, it lists the input sections; compiled with -ffunction-sections and
-fdata-sections, as TFLM is, each of these is one function or object, and tells its size.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from predictor.errors import UsageError
from predictor.firmware.program import LinkedProgram, Section, Symbol
from predictor.firmware.symbols import readable_symbol

_START = "Linker script and memory map"
_MEMORIES = "Memory Configuration"
_NUMBERS = r"0x([0-9a-fA-F]{1,16})\s+0x([0-9a-fA-F]{1,16})"
_MEMORY = re.compile(rf"^(\S+)\s+{_NUMBERS}(?:\s+(\w+))?\s*$", re.MULTILINE)
_OUTPUT = re.compile(rf"^(\S+)\s+{_NUMBERS}(?:\s+load address 0x([0-9a-fA-F]+))?\s*$")
_INPUT = re.compile(rf"^ (\S+)\s+{_NUMBERS}\s+\S")
_NAME = re.compile(r"^\s{16,}0x([0-9a-fA-F]{1,16})\s{2,}(\S.*)$")
_ALONE = re.compile(r"^ ?[.\w]\S*$")
"""A long name of a section, whose figures are on the next line."""
_IN_RAM = re.compile(r"^\.(bss|data|noinit)\b")
_STORED_NOWHERE = re.compile(r"^\.(bss|noinit|stack|heap)\b")
_ARGUMENTS = re.compile(r"(?<=[\w>])\(.*$")
_KINDS = re.compile(r"^\.(text|rodata|data|bss)\.")
_LONGEST_PADDING = 15


class LinkMap(LinkedProgram):
    """The part of a program that a map tells.

    Raises:
        UsageError: the file cannot be read, or is no map of GNU ld.
    """

    has_contents: ClassVar[bool] = False

    def __init__(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        head, mark, body = text.partition(_START)
        if not mark:
            raise UsageError(f"{path} is no map of GNU ld: link with -Wl,-Map={path.name}")
        self.path = path
        self._writable = _writable_spans(head.partition(_MEMORIES)[2])
        sections: list[Section] = []
        inputs: list[Symbol] = []
        names: list[tuple[int, str]] = []
        for line in _joined(body.splitlines()):
            if found := _OUTPUT.match(line):
                sections += self._section(found)
            elif found := _INPUT.match(line):
                inputs.append(_input(found))
            elif (found := _NAME.match(line)) and "=" not in found[2]:
                names.append((int(found[1], 16), _readable(found[2])))
        self.sections = tuple(sections)
        placed = [it for it in inputs if it.size_bytes and self.section_at(it.address)]
        self.symbols = tuple(_symbols(sorted(placed, key=lambda it: it.address), names))
        if not self.symbols:
            raise UsageError(f"{path} lists no function and no object")

    @property
    def flash_bytes(self) -> int:
        stored = (it for it in self.sections if not _STORED_NOWHERE.match(it.name))
        return sum(section.size_bytes for section in stored)

    def places(self, content: bytes) -> Iterator[tuple[Section, int]]:
        """Where objects lie that are as large as these bytes; a map has no contents."""
        for symbol in self.symbols:
            section = self.section_at(symbol.address)
            padding = symbol.size_bytes - len(content)
            if section and not symbol.is_function and 0 <= padding <= _LONGEST_PADDING:
                yield section, symbol.address

    def is_unoptimised(self, function: Symbol) -> bool:
        """A map has no code: nothing is known to be."""
        return False

    def _section(self, found: re.Match[str]) -> Iterator[Section]:
        name, address, size_bytes = found[1], int(found[2], 16), int(found[3], 16)
        is_moved = found[4] is not None and int(found[4], 16) != address
        is_in_ram = any(start <= address < end for start, end in self._writable)
        # Debugging information and the like have the address 0 and no code.
        if size_bytes and (address or name.startswith((".text", ".isr", ".vectors"))):
            is_writable = is_moved or is_in_ram or bool(_IN_RAM.match(name))
            yield Section(name, address, size_bytes, is_writable, b"")


def _writable_spans(text: str) -> list[tuple[int, int]]:
    found = ((it[1], int(it[2], 16), int(it[3], 16), it[4] or "") for it in _MEMORY.finditer(text))
    return [
        (start, start + size_bytes)
        for name, start, size_bytes, attributes in found
        if name != "*default*" and "w" in attributes
    ]


def _joined(lines: list[str]) -> Iterator[str]:
    """The lines, those of long names with what follows them."""
    waiting = ""
    for line in lines:
        if _ALONE.match(line):
            waiting = line
            continue
        yield waiting + line if waiting else line
        waiting = ""


def _input(found: re.Match[str]) -> Symbol:
    name = found[1]
    own = readable_symbol(_KINDS.sub("", name)) if _KINDS.match(name) else ""
    return Symbol(own, int(found[2], 16), int(found[3], 16), name.startswith(".text"))


def _readable(name: str) -> str:
    plain = name.replace("(anonymous namespace)", "(anonymous)")
    return _ARGUMENTS.sub("", readable_symbol(plain))


def _symbols(inputs: list[Symbol], names: list[tuple[int, str]]) -> Iterator[Symbol]:
    """Names with the size up to the next in the same input section; of input sections without a
    name, as those of static functions, their own."""
    starts = [it.address for it in inputs]
    named: dict[int, list[tuple[int, str]]] = {}
    for address, name in sorted(set(names)):
        index = bisect_right(starts, address) - 1
        if index >= 0 and address < inputs[index].address + inputs[index].size_bytes:
            named.setdefault(index, []).append((address, name))
    for index, section in enumerate(inputs):
        inside = named.get(index, [])
        if not inside and section.name:
            yield section
        ends = sorted({address for address, _ in inside} | {section.address + section.size_bytes})
        for address, name in inside:
            end = ends[bisect_right(ends, address)]
            yield Symbol(name, address, end - address, section.is_function)
