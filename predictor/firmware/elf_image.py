"""Programs for emulated boards: segments and symbols of an ELF file."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator
from functools import cached_property
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from predictor.errors import EmulationError
from predictor.firmware.elf32 import Elf32, Header
from predictor.firmware.symbols import CodeLocation
from predictor.records import dataclass

_EXECUTABLE, _LOAD, _ARM = 2, 1, 40
"""ET_EXEC, PT_LOAD, EM_ARM."""
_HARD_FLOAT = 0x400
"""EF_ARM_ABI_FLOAT_HARD, ELF for the Arm architecture."""
_GLOBAL, _FUNCTION, _FILE = 1, 2, 4
"""STB_GLOBAL, STT_FUNC, STT_FILE."""


@dataclass(frozen=True, slots=True)
class Segment:
    """What is loaded: ``load_address`` in flash, ``run_address`` where the program uses it."""

    load_address: int
    run_address: int
    data: bytes
    memory_bytes: int
    is_executable: bool


@dataclass(frozen=True, slots=True)
class FunctionSymbol:
    """A function; its address without the Thumb bit."""

    address: int
    size_bytes: int
    name: str


class ElfImage:
    """A parsed ELF file.

    Raises:
        EmulationError: the file is missing, not ELF, or not for a 32-bit little-endian Arm core.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self._content = self.path.read_bytes()
            file = Elf32(self._content)
            self._check_header(file.header)
            self.segments = tuple(_segments(file))
            self._read_symbols(file)
        except OSError as error:
            raise EmulationError(f"cannot read {path}: {error.strerror}") from error
        except ValueError as error:
            raise EmulationError(f"{path} is not a readable ELF file: {error}") from error

    def _check_header(self, header: Header) -> None:
        if header.machine != _ARM:
            raise EmulationError(f"{self.path} is not a program for a 32-bit Arm core")
        if header.type != _EXECUTABLE:
            raise EmulationError(f"{self.path} is not linked to fixed addresses (ET_EXEC)")
        self.is_hard_float = bool(header.flags & _HARD_FLOAT)

    @property
    def vectors(self) -> Segment:
        """The segment that starts with the vector table: the first that brings any data."""
        loaded = (segment for segment in self.segments if segment.data)
        return min(loaded, key=lambda segment: segment.load_address)

    def _read_symbols(self, file: Elf32) -> None:
        symbols: dict[str, int] = {}
        functions: dict[int, FunctionSymbol] = {}
        for name, address, size, info in file.symbols():
            kind = info & 0xF
            if not name or kind == _FILE:
                continue
            symbols.setdefault(name, address)
            if info >> 4 == _GLOBAL:
                symbols[name] = address
            if kind == _FUNCTION:
                code = address & ~1
                functions.setdefault(code, FunctionSymbol(code, size, name))
        self.symbols = MappingProxyType(symbols)
        self.functions = tuple(functions[address] for address in sorted(functions))
        self._function_starts = [function.address for function in self.functions]

    def symbol(self, name: str) -> int:
        """Address of a symbol; that of a function without the Thumb bit.

        Raises:
            EmulationError: there is none of that name.
        """
        address = self.symbols.get(name)
        if address is None:
            raise EmulationError(f"{self.path} has no symbol {name}")
        return address & ~1 if self.function_at(address & ~1) else address

    def function_at(self, address: int) -> FunctionSymbol | None:
        """The function that holds an address."""
        index = bisect.bisect_right(self._function_starts, address) - 1
        if index < 0:
            return None
        function = self.functions[index]
        inside = address < function.address + max(function.size_bytes, 1)
        return function if inside else None

    def locate(self, address: int) -> CodeLocation:
        """Symbol and, where the file holds debug information, source line of an address."""
        function = self.function_at(address)
        name, offset = (function.name, address - function.address) if function else (None, 0)
        file, line = self._source_line(address)
        return CodeLocation(address, name, offset, file, line)

    def _source_line(self, address: int) -> tuple[str | None, int | None]:
        from predictor.firmware.debug_info import source_line

        return source_line(self.elf_file, address)

    @cached_property
    def elf_file(self) -> Any:
        """The pyelftools file, for debug information; None where it is damaged."""
        from elftools.elf.elffile import ELFFile

        from predictor.firmware.debug_info import damage

        try:
            return ELFFile(BytesIO(self._content))
        except damage():
            return None


def _segments(file: Elf32) -> Iterator[Segment]:
    for segment in file.segments():
        if segment.type == _LOAD and segment.memory_bytes:
            yield Segment(
                load_address=segment.physical_address,
                run_address=segment.virtual_address,
                data=segment.data,
                memory_bytes=segment.memory_bytes,
                is_executable=bool(segment.flags & 1),
            )
