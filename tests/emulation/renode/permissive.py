"""The in-process machine, made as permissive as Renode: what a board traps is counted, or runs."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from predictor.emulation.function_call import RETURN_ADDRESS, WINDOW_BASE, WINDOW_BYTES
from predictor.emulation.platform.board_platform import step_instructions
from predictor.emulation.platform.description import Memory, Platform
from predictor.emulation.unicorn.core import UnicornCore
from predictor.emulation.unicorn.machine import UnicornMachine
from predictor.emulation.unicorn.memory_map import PAGE_BYTES
from predictor.firmware.elf_image import ElfImage

if TYPE_CHECKING:
    from unicorn import Uc

_SELF_BRANCH = b"\xfe\xe7"
_ADDED = {"call_code": Memory("call_code", RETURN_ADDRESS, 2 * PAGE_BYTES)}
_ADDED["call_buffers"] = Memory("call_buffers", WINDOW_BASE, WINDOW_BYTES)
"""Memories that may be added while the machine runs; the engine has them from the start."""


class PermissiveCore(UnicornCore):
    """A core whose accesses to nothing read 0 and are counted, and go on."""

    def __init__(self, platform: Platform, image: ElfImage) -> None:
        self.unexpected = {"Reads": 0, "Writes": 0}
        self.is_parked = False
        self._watched: set[int] = set()
        self._step = step_instructions(int(platform.cpu.number("PerformanceInMips")))
        own = platform.memories
        added = [x for x in _ADDED.values() if all(x.base >= m.end or m.base >= x.end for m in own)]
        memories = (*own, *added)
        extended = replace(
            platform, memories=memories, read_only=platform.read_only | {"call_code"}
        )
        self._platform = extended
        super().__init__(extended, image, is_profile=False)
        self._park_at_self_branches()

    def _cycles_at_access(self) -> int:
        """Virtual time, which advances by whole steps."""
        cycles = super()._cycles_at_access()
        return cycles - cycles % self._step

    def _park_at_self_branches(self) -> None:
        """``b .`` passes the time without counting."""
        from unicorn.unicorn_const import UC_HOOK_CODE

        for segment in self.image.segments:
            for offset in range(0, len(segment.data) - 1, 2):
                if segment.data[offset : offset + 2] == _SELF_BRANCH:
                    address = segment.run_address + offset
                    self.engine.hook_add(UC_HOOK_CODE, self._park, begin=address, end=address)

    def go_to(self, address: int) -> None:
        from unicorn.arm_const import UC_ARM_REG_EPSR, UC_ARM_REG_PC, UC_ARM_REG_SP
        from unicorn.unicorn_const import UC_HOOK_CODE

        self.engine.reg_write(UC_ARM_REG_EPSR, 1 << 24)
        self.engine.reg_write(UC_ARM_REG_PC, address | 1)
        self.stack_top = self.engine.reg_read(UC_ARM_REG_SP)
        self.has_booted = True
        self.is_parked = False
        page = address // PAGE_BYTES * PAGE_BYTES
        code = self.memory.read(page, PAGE_BYTES)
        if code.find(_SELF_BRANCH) >= 0 and page not in self._watched:
            self._watched.add(page)
            park = page + code.find(_SELF_BRANCH)
            self.engine.hook_add(UC_HOOK_CODE, self._park, begin=park, end=park)

    def _park(self, engine: Uc, address: int, size_bytes: int, _: Any) -> None:
        self.is_parked = True
        engine.emu_stop()

    def _on_invalid_access(
        self, engine: Uc, access: int, address: int, size_bytes: int, value: int, _: Any
    ) -> bool:
        from unicorn import unicorn_const as const

        if access in (const.UC_MEM_FETCH_PROT, const.UC_MEM_FETCH_UNMAPPED):
            return super()._on_invalid_access(engine, access, address, size_bytes, value, _)
        is_unmapped = access in (const.UC_MEM_READ_UNMAPPED, const.UC_MEM_WRITE_UNMAPPED)
        page = address // PAGE_BYTES * PAGE_BYTES
        if any(memory.base <= address < memory.end for memory in self._platform.memories):
            if is_unmapped:  # memory at 0 that the in-process machine leaves out
                engine.mem_map(page, PAGE_BYTES)
        elif is_unmapped:
            self._map_nothing(engine, page)
        elif not self._bus.holds(address, size_bytes):
            is_read = access == const.UC_MEM_READ_PROT
            self.unexpected["Reads" if is_read else "Writes"] += 1
        return True

    def _map_nothing(self, engine: Uc, page: int) -> None:
        def read(engine: Uc, offset: int, size_bytes: int, _: Any) -> int:
            self.unexpected["Reads"] += 1
            return 0

        def write(engine: Uc, offset: int, size_bytes: int, value: int, _: Any) -> None:
            self.unexpected["Writes"] += 1

        engine.mmio_map(page, PAGE_BYTES, read, None, write, None)


class PermissiveMachine(UnicornMachine):
    """A board on a permissive core, which runs for virtual time."""

    _loaded_core: PermissiveCore | None

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.is_halted = False
        self._mips = platform.cpu.number("PerformanceInMips")

    def load_elf(self, path: str | os.PathLike[str]) -> None:
        self._loaded_core = PermissiveCore(self.platform, ElfImage(path))

    def load_binary(self, data: bytes, address: int) -> None:
        self._core.memory.write(address, data)

    def run_for(self, seconds: float) -> None:
        """Virtual time: ``PerformanceInMips`` million instructions a second."""
        core = self._permissive_core
        if core.is_parked or self.is_halted:
            return
        limit = core.instructions + round(seconds * self._mips * 1e6)
        self.is_halted = self.run(max_instructions=limit).fault is not None

    def go_to(self, address: int) -> None:
        """Sets the program counter."""
        self._permissive_core.go_to(address & ~1)

    def add_memory(self, memory: Memory) -> None:
        """The engine has it already."""
        assert _ADDED[memory.name] == memory

    @property
    def _permissive_core(self) -> PermissiveCore:
        core = self._core
        assert isinstance(core, PermissiveCore)
        return core

    @property
    def executed(self) -> int:
        return 0 if self._loaded_core is None else self._loaded_core.instructions

    @property
    def unexpected(self) -> dict[str, int]:
        core = self._loaded_core
        return {"Reads": 0, "Writes": 0} if core is None else core.unexpected

    @property
    def program_counter(self) -> int:
        return self._core._program_counter

    def read_any(self, address: int, size_bytes: int) -> bytes:
        """Memory, or a peripheral's register as the core would read it."""
        core = self._core
        if size_bytes > 4:
            return self.read_memory(address, size_bytes)
        for entry in core._bus.devices:
            if entry.holds(address, size_bytes):
                value = entry.device.read(address - entry.base, size_bytes)
                return value.to_bytes(size_bytes, "little")
        if core.memory.find(address) is None:
            return bytes(size_bytes)
        return self.read_memory(address, size_bytes)
