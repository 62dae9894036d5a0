"""Programs for emulated boards: segments and symbols of an ELF file."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

from predictor.errors import EmulationError
from predictor.firmware.symbol_table import symbol_table
from predictor.firmware.symbols import CodeLocation
from predictor.records import dataclass

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
        from elftools.elf.elffile import ELFFile

        from predictor.firmware.debug_info import damage

        self.path = Path(path)
        try:
            self._file = ELFFile(BytesIO(self.path.read_bytes()))
            self._check_header()
            self.segments = tuple(self._segments())
            self._read_symbols()
        except OSError as error:
            raise EmulationError(f"cannot read {path}: {error.strerror}") from error
        except damage() as error:
            raise EmulationError(f"{path} is not a readable ELF file: {error}") from error

    def _check_header(self) -> None:
        header = self._file.header
        found = (header["e_machine"], self._file.elfclass, self._file.little_endian)
        if found != ("EM_ARM", 32, True):
            raise EmulationError(f"{self.path} is not a program for a 32-bit Arm core")
        if header["e_type"] != "ET_EXEC":
            raise EmulationError(f"{self.path} is not linked to fixed addresses (ET_EXEC)")
        self.is_hard_float = bool(header["e_flags"] & _HARD_FLOAT)

    def _segments(self) -> Iterator[Segment]:
        for segment in self._file.iter_segments():
            if segment["p_type"] == "PT_LOAD" and segment["p_memsz"]:
                yield Segment(
                    load_address=segment["p_paddr"],
                    run_address=segment["p_vaddr"],
                    data=segment.data(),
                    memory_bytes=segment["p_memsz"],
                    is_executable=bool(segment["p_flags"] & 1),
                )

    @property
    def vectors(self) -> Segment:
        """The segment that starts with the vector table: the first that brings any data."""
        loaded = (segment for segment in self.segments if segment.data)
        return min(loaded, key=lambda segment: segment.load_address)

    def _read_symbols(self) -> None:
        symbols: dict[str, int] = {}
        functions: dict[int, FunctionSymbol] = {}
        for name, address, size, info in symbol_table(self._file):
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

        return source_line(self._file, address)

    @property
    def elf_file(self) -> Any:
        """The pyelftools file, for debug information."""
        return self._file
