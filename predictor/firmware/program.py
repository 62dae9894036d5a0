"""What a user's linked program says of itself: functions, objects, and where bytes of it lie."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from predictor.errors import MissingDependencyError, UsageError
from predictor.firmware.elf32 import Elf32
from predictor.firmware.symbols import readable_symbol

_OBJECT, _FUNCTION = 1, 2
"""STT_OBJECT, STT_FUNC."""
_WRITE, _ALLOC = 1, 2
"""SHF_WRITE, SHF_ALLOC."""
_FRAME_POINTER = 0xAF00
"""The halfword ``add r7, sp, #n``, with which GCC without optimisation begins each function."""
_PROLOGUE_HALFWORDS = 5


class Symbol(NamedTuple):
    """A function or an object. ``name`` is readable: qualified, without arguments."""

    name: str
    address: int
    size_bytes: int
    is_function: bool


class Section(NamedTuple):
    """A part of the program that it has in memory when it runs."""

    name: str
    address: int
    size_bytes: int
    is_writable: bool
    content: bytes

    @property
    def end(self) -> int:
        return self.address + self.size_bytes


class LinkedProgram(ABC):
    """What a program's file and its linker's map both tell.

    ``has_contents`` says whether the bytes of the sections are known.
    """

    has_contents: ClassVar[bool]
    path: Path
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]

    @cached_property
    def functions(self) -> tuple[Symbol, ...]:
        return tuple(symbol for symbol in self.symbols if symbol.is_function)

    @cached_property
    def function_names(self) -> frozenset[str]:
        return frozenset(function.name for function in self.functions)

    def section_at(self, address: int) -> Section | None:
        return next((it for it in self.sections if it.address <= address < it.end), None)

    @property
    @abstractmethod
    def flash_bytes(self) -> int:
        """Bytes that the program stores: code, constants, initial values of variables."""

    @abstractmethod
    def places(self, content: bytes) -> Iterator[tuple[Section, int]]:
        """Where bytes lie: the section, and the address when the program runs."""

    @abstractmethod
    def is_unoptimised(self, function: Symbol) -> bool:
        """Whether a function keeps its variables on the stack, as GCC without -O has it."""


class Program(LinkedProgram):
    """A linked program for a 32-bit little-endian processor. ``entry_address`` is where it begins.

    Raises:
        UsageError: the file cannot be read, is no such program, or has no symbols.
        MissingDependencyError: pyelftools is missing.
    """

    has_contents: ClassVar[bool] = True

    def __init__(self, path: Path) -> None:
        try:
            from elftools.elf.elffile import ELFFile
        except ImportError:
            raise MissingDependencyError(
                "reading an ELF file needs pyelftools: pip install pyelftools"
            ) from None
        from predictor.firmware.debug_info import damage

        self.path = path
        try:
            content = path.read_bytes()
            file = ELFFile(BytesIO(content))
            if (file.elfclass, file.little_endian) != (32, True):
                raise UsageError(f"{path} is no program for a 32-bit little-endian processor")
            self.sections = tuple(_sections(file))
            self.symbols = tuple(_symbols(Elf32(content)))
            self.entry_address: int = file.header["e_entry"]
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        except damage() as error:
            raise UsageError(f"{path} is not a readable ELF file: {error}") from error
        if not self.symbols:
            raise UsageError(f"{path} has no symbols: name the file before it is stripped")

    @property
    def flash_bytes(self) -> int:
        return sum(len(section.content) for section in self.sections)

    def places(self, content: bytes) -> Iterator[tuple[Section, int]]:
        for section in self.sections:
            place = section.content.find(content)
            while place >= 0:
                yield section, section.address + place
                place = section.content.find(content, place + 1)

    def is_unoptimised(self, function: Symbol) -> bool:
        address = function.address & ~1
        section = self.section_at(address)
        if section is None or not section.content:
            return False
        start = address - section.address
        head = section.content[start : start + 2 * _PROLOGUE_HALFWORDS]
        halfwords = struct.unpack(f"<{len(head) // 2}H", head[: len(head) & ~1])
        return any(halfword & 0xFF00 == _FRAME_POINTER for halfword in halfwords)


def _sections(file: Any) -> Iterator[Section]:
    for section in file.iter_sections():
        flags = section["sh_flags"]
        if flags & _ALLOC and section["sh_size"]:
            content = b"" if section["sh_type"] == "SHT_NOBITS" else section.data()
            yield Section(
                section.name,
                section["sh_addr"],
                section["sh_size"],
                bool(flags & _WRITE),
                content,
            )


def _symbols(file: Elf32) -> Iterator[Symbol]:
    for name, address, size, info in file.symbols():
        kind = info & 0xF
        if kind in (_OBJECT, _FUNCTION):
            yield Symbol(readable_symbol(name), address, size, kind == _FUNCTION)
