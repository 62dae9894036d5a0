"""Turns what stopped the emulator into a fault with a place, a reason and a backtrace."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from predictor.emulation.machine import Fault, FaultKind
from predictor.emulation.platform.description import Platform
from predictor.emulation.unicorn.memory_map import MemoryMap
from predictor.errors import EmulationError
from predictor.firmware.debug_info import return_addresses
from predictor.firmware.elf_image import ElfImage
from predictor.firmware.symbols import CodeLocation
from predictor.records import dataclass

if TYPE_CHECKING:
    from unicorn import Uc

NULL_SPAN_BYTES = 0x4000
"""Accesses below are taken for a null pointer plus an offset."""
_STACK_NEIGHBOURHOOD_BYTES = 0x10000
_PERIPHERAL_SPANS = ((0x40000000, 0x60000000), (0xE0000000, 1 << 32))
"""Armv7-M memory map: peripherals, and the system space."""
_NAMES = (*(f"r{number}" for number in range(13)), "sp", "lr", "pc")


@dataclass(frozen=True, slots=True)
class RawFault:
    """A trap as the emulator sees it; ``address`` is that of the access, if it was one."""

    kind: FaultKind
    message: str
    address: int | None = None


@dataclass(frozen=True, slots=True)
class FaultReporter:
    """Knows the program and memories that a fault is explained with."""

    engine: Uc
    platform: Platform
    image: ElfImage
    memory: MemoryMap

    def access_fault(self, verb: str, address: int, size_bytes: int) -> RawFault:
        """A read or write that no memory or peripheral takes."""
        what = f"{verb} of {size_bytes} bytes at {address:#010x}"
        stack_pointer = self._register_values()["sp"]
        holder = self.memory.find(address)
        if holder is not None:
            message = f"{what}, which lies in {holder.memory.name}, read-only memory"
            return RawFault(FaultKind.WRITE_PROTECTED, message, address)
        if self._is_below_stack(address, stack_pointer):
            message = f"{what}, below the RAM: the stack pointer is {stack_pointer:#010x}"
            return RawFault(FaultKind.STACK_OVERFLOW, message, address)
        if address < NULL_SPAN_BYTES:
            names = [m.name for m in self.platform.memories if m.base <= address < m.end]
            where = f"; the board has {''.join(names)} there, which the program does not use"
            message = what + (where if names else ", where no memory is")
            return RawFault(FaultKind.NULL_ACCESS, message, address)
        if any(first <= address < end for first, end in _PERIPHERAL_SPANS):
            message = f"{what}, where the platform has no peripheral"
            return RawFault(FaultKind.PERIPHERAL_ACCESS, message, address)
        return RawFault(FaultKind.UNMAPPED_ACCESS, f"{what}, {self._neighbour(address)}", address)

    def fetch_fault(self, address: int) -> RawFault:
        """A jump to where no code may run."""
        holder = self.memory.find(address)
        where = f"in {holder.memory.name}" if holder else "where no memory is"
        message = f"jump to {address:#010x}, {where}; code runs from flash and ITCM only"
        return RawFault(FaultKind.EXECUTE_DATA, message, address)

    def undefined_fault(self, address: int) -> RawFault:
        """An instruction that the core does not have."""
        try:
            words = struct.unpack("<2H", self.memory.read(address, 4))
        except EmulationError:
            words = ()
        opcode = " ".join(f"{word:04x}" for word in words)
        message = f"instruction {opcode}"
        if len(words) == 2 and words[0] & 0xEC00 == 0xEC00 and words[1] & 0x0F00 == 0x0B00:
            message += ": double precision, which is not emulated; build with a -sp- FPU option"
        return RawFault(FaultKind.UNDEFINED_INSTRUCTION, message)

    def fault(self, raw: RawFault, address: int | None = None) -> Fault:
        """The full report. ``address`` is that of the instruction, if not the program counter."""
        registers = self._register_values()
        location = self.image.locate(registers["pc"] if address is None else address)
        return Fault(
            kind=raw.kind,
            message=raw.message,
            location=location,
            address=raw.address,
            registers=registers,
            backtrace=(location, *self._callers(registers, location.address)),
        )

    def _callers(self, registers: Mapping[str, int], address: int) -> tuple[CodeLocation, ...]:
        numbered = dict(enumerate(registers.values()))
        numbered[15] = address
        found = return_addresses(self.image.elf_file, numbered, self._read_word)
        return tuple(
            self.image.locate(caller - 2) for caller in found if self.image.function_at(caller - 2)
        )

    def _read_word(self, address: int) -> int | None:
        try:
            return int.from_bytes(self.memory.read(address, 4), "little")
        except EmulationError:
            return None

    def _register_values(self) -> Mapping[str, int]:
        from unicorn import arm_const as arm

        ids = [arm.UC_ARM_REG_R0 + number for number in range(13)]
        ids += [arm.UC_ARM_REG_SP, arm.UC_ARM_REG_LR, arm.UC_ARM_REG_PC]
        values = [self.engine.reg_read(register) for register in ids]
        return MappingProxyType(dict(zip(_NAMES, values, strict=True)))

    def _is_below_stack(self, address: int, stack_pointer: int) -> bool:
        """Whether an access misses RAM because the stack pointer does."""
        lowest = min(item.memory.base for item in self.memory.mapped if not item.is_executable)
        is_near = abs(address - stack_pointer) < _STACK_NEIGHBOURHOOD_BYTES
        return is_near and lowest - _STACK_NEIGHBOURHOOD_BYTES <= address < lowest

    def _neighbour(self, address: int) -> str:
        """Where an address lies, told from the memory that ends before it."""
        below = [item for item in self.platform.memories if item.end <= address]
        if not below:
            return "where no memory is"
        nearest = max(below, key=lambda item: item.end)
        return f"{address - nearest.end} bytes past the end of {nearest.name}"
