"""Memories of an emulated machine, at the addresses and of the sizes of the platform file."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from predictor.emulation.platform.description import Memory, Platform
from predictor.emulation.unicorn.counter_state import CodeRegion
from predictor.errors import EmulationError, PlatformError
from predictor.firmware.elf_image import ElfImage
from predictor.records import dataclass

if TYPE_CHECKING:
    from unicorn import Uc

PAGE_BYTES = 4096
RAM_FILL = 0xA5
"""RAM holds anything after power-on; a program that relies on zeros must fail here too."""
_SRAM_BASE = 0x20000000
"""Armv7-M memory map: code lies below, data from here on."""


@dataclass(frozen=True, slots=True)
class MappedMemory:
    """A memory with its bytes on the host."""

    memory: Memory
    is_read_only: bool
    is_executable: bool
    host: mmap.mmap

    @property
    def host_address(self) -> int:
        return ctypes.addressof(ctypes.c_char.from_buffer(self.host))


class MemoryMap:
    """All memories of a machine; RAM at address 0 that the program leaves empty stays unmapped.

    A null pointer thus faults on cores with such RAM (ITCM), unless the program keeps something
    there.
    """

    def __init__(self, platform: Platform, image: ElfImage) -> None:
        buffers: dict[str, mmap.mmap] = {}
        mapped: list[MappedMemory] = []
        for memory in platform.memories:
            if (memory.base | memory.size_bytes) % PAGE_BYTES:
                raise PlatformError(f"{memory.name} is not made of pages of {PAGE_BYTES} bytes")
            is_flash = memory.name in platform.read_only
            if memory.base == 0 and not is_flash and not _is_used(memory, image):
                continue
            if memory.name not in buffers:
                fill = 0xFF if is_flash else RAM_FILL
                buffers[memory.name] = mmap.mmap(-1, memory.size_bytes)
                buffers[memory.name][:] = bytes([fill]) * memory.size_bytes
            mapped.append(
                MappedMemory(memory, is_flash, memory.base < _SRAM_BASE, buffers[memory.name])
            )
        self.mapped = tuple(mapped)

    def map_into(self, engine: Uc) -> None:
        """Maps everything into an emulator."""
        from unicorn.unicorn_const import UC_PROT_EXEC, UC_PROT_READ, UC_PROT_WRITE

        for item in self.mapped:
            permissions = UC_PROT_READ
            permissions |= 0 if item.is_read_only else UC_PROT_WRITE
            permissions |= UC_PROT_EXEC if item.is_executable else 0
            memory = item.memory
            engine.mem_map_ptr(memory.base, memory.size_bytes, permissions, item.host_address)

    def code_regions(self) -> tuple[CodeRegion, ...]:
        """Where code may lie."""
        return tuple(
            CodeRegion(
                item.memory.base, item.memory.size_bytes, item.host_address, item.is_read_only
            )
            for item in self.mapped
            if item.is_executable
        )

    def find(self, address: int) -> MappedMemory | None:
        """The memory that holds an address."""
        for item in self.mapped:
            if item.memory.base <= address < item.memory.end:
                return item
        return None

    def host_address(self, address: int) -> int:
        """Where a byte of memory lies in this process.

        Raises:
            EmulationError: no memory holds it.
        """
        item = self.find(address)
        if item is None:
            raise EmulationError(f"no memory at {address:#010x}")
        return item.host_address + address - item.memory.base

    def read(self, address: int, size_bytes: int) -> bytes:
        """Bytes of memory.

        Raises:
            EmulationError: part of the span lies outside of all memories.
        """
        pieces = self._pieces(address, size_bytes)
        return b"".join(item.host[start : start + length] for item, start, length in pieces)

    def write(self, address: int, data: bytes) -> None:
        """Writes bytes, read-only memory included.

        Raises:
            EmulationError: part of the span lies outside of all memories.
        """
        position = 0
        for item, start, length in list(self._pieces(address, len(data))):
            item.host[start : start + length] = data[position : position + length]
            position += length

    def fill_ram(self) -> None:
        """Gives all RAM its content after power-on."""
        for item in self.mapped:
            if not item.is_read_only:
                item.host[:] = bytes([RAM_FILL]) * item.memory.size_bytes

    def _pieces(self, address: int, size_bytes: int) -> Iterator[tuple[MappedMemory, int, int]]:
        end = address + size_bytes
        while address < end:
            item = self.find(address)
            if item is None:
                raise EmulationError(f"no memory at {address:#010x}")
            length = min(end, item.memory.end) - address
            yield item, address - item.memory.base, length
            address += length


def _is_used(memory: Memory, image: ElfImage) -> bool:
    return any(
        memory.base <= address < memory.end
        for segment in image.segments
        for address in (segment.load_address, segment.run_address)
    )
