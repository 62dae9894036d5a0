"""The kernels on an emulated Cortex-M4 or M7 (Unicorn), with exact instruction counts.

Every array of a call lies between guard bytes, int8 and uint8 arrays at an odd address; a changed
guard byte or a write outside the given arrays and the stack fails the call.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile

from kernels.binding import INCLUDE_DIRECTORY, WARNING_FLAGS, Argument, Struct, sources
from predictor.cores.core import find_core
from predictor.emulation.unicorn.library import make_engine

COMPILER = "arm-none-eabi-gcc"
CORES = ("cortex-m4", "cortex-m7")
FLASH_ADDRESS = 0x0800_0000
FLASH_BYTES = 0x10_0000
RAM_ADDRESS = 0x2000_0000
RAM_BYTES = 0x40_0000
STACK_BYTES = 0x1_0000
RETURN_ADDRESS = FLASH_ADDRESS + FLASH_BYTES - 16
GUARD = bytes((0xA5, 0x5A, 0xC3, 0x3C)) * 4


def build(destination: Path, cpu: str, flags: tuple[str, ...] = ("-O2",)) -> Path:
    """Link all kernels for `cpu` into one ELF file at FLASH_ADDRESS."""
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is not installed (apt install gcc-arm-none-eabi)")
    command = [COMPILER, *WARNING_FLAGS, *flags, *find_core(cpu).compiler_flags]
    command += [f"-I{INCLUDE_DIRECTORY}", "-ffunction-sections", "-nostartfiles", "-nostdlib"]
    command += [f"-Wl,-Ttext={FLASH_ADDRESS:#x},-e,0,--no-warn-rwx-segments"]
    command += [*map(str, sources()), "-lc", "-lgcc", "-o", str(destination)]
    subprocess.run(command, check=True)
    return destination


class EmulatedLibrary:
    """A `kernels.binding.Library` on an emulated core.

    `instructions` is the count of the last call (instructions whose IT condition fails included).
    With `traces`, traced_call works.
    """

    def __init__(self, elf_path: Path, cpu: str, traces: bool = False) -> None:
        unicorn = pytest.importorskip("unicorn")
        from unicorn import arm_const

        self._arm = arm_const
        self._unicorn = unicorn
        self._uc = make_engine(find_core(cpu))
        self._uc.mem_map(FLASH_ADDRESS, FLASH_BYTES, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._uc.mem_map(RAM_ADDRESS, RAM_BYTES)
        self._symbols: dict[str, int] = {}
        self._load(elf_path)
        self._block_counts: dict[tuple[int, int], int] = {}
        self._ranges: list[tuple[int, int]] = []
        self.array_order: list[np.ndarray] = []
        self.instructions = 0
        self._uc.hook_add(unicorn.UC_HOOK_BLOCK, self._count_block)
        self._events: list[tuple[bool, int, int]] = []
        if traces:
            kinds = unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE
            self._uc.hook_add(kinds, self._record_access)

    def _load(self, elf_path: Path) -> None:
        with elf_path.open("rb") as stream:
            elf = ELFFile(stream)
            for segment in elf.iter_segments("PT_LOAD"):
                self._uc.mem_write(segment["p_paddr"], segment.data())
            for symbol in elf.get_section_by_name(".symtab").iter_symbols():
                if symbol["st_info"]["type"] == "STT_FUNC":
                    self._symbols[symbol.name] = symbol["st_value"]

    def _record_access(self, uc: object, kind: int, address: int, size: int, *rest: object) -> None:
        self._events.append((kind == self._unicorn.UC_MEM_WRITE, address, size))

    def _count_block(self, uc: object, address: int, size: int, data: object) -> None:
        key = (address, size)
        count = self._block_counts.get(key)
        if count is None:
            count = self._block_counts[key] = _thumb_instructions(self._uc.mem_read(address, size))
        self.instructions += count

    def traced_call(self, symbol: str, *arguments: Argument) -> list[tuple[bool, int, int]]:
        """Every access of a call to its arrays: (is a write, address, bytes), in order.

        Addresses count from the start of the array that holds them, with the array's number in
        bits 32 and up (arrays in the order in which they were first passed).
        """
        self._events.clear()
        assert self.call(symbol, *arguments) == 0
        located = []
        for is_write, address, size in self._events:
            for number, (begin, end) in enumerate(self._ranges):
                if begin <= address < end:
                    located.append((is_write, (number << 32) + address - begin, size))
        return located

    def call(self, symbol: str, *arguments: Argument) -> int:
        """See Library.call; raises AssertionError when memory outside the arrays was written."""
        memory = _Memory()
        words = [memory.word(argument) for argument in arguments]
        image = memory.image()
        self._ranges = memory.ranges()
        self.array_order = memory.arrays()
        arm = self._arm
        stack = RAM_ADDRESS + RAM_BYTES - STACK_BYTES // 2
        self._uc.mem_write(RAM_ADDRESS, bytes(image))
        self._uc.mem_write(stack, struct.pack(f"<{len(words[4:])}I", *words[4:]))
        registers = (arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_R3)
        for register, word in zip(registers, words, strict=False):
            self._uc.reg_write(register, word)
        self._uc.reg_write(arm.UC_ARM_REG_SP, stack)
        self._uc.reg_write(arm.UC_ARM_REG_LR, RETURN_ADDRESS | 1)
        self.instructions = 0
        self._uc.emu_start(self._symbols[symbol] | 1, RETURN_ADDRESS)
        memory.check_and_store(bytes(self._uc.mem_read(RAM_ADDRESS, len(image))))
        result: int = self._uc.reg_read(arm.UC_ARM_REG_R0)
        return result - (1 << 32) if result >= 1 << 31 else result


def _thumb_instructions(code: bytes) -> int:
    count = position = 0
    while position < len(code):
        halfword = code[position] | code[position + 1] << 8
        position += 4 if halfword >> 11 in (0b11101, 0b11110, 0b11111) else 2
        count += 1
    return count


class _Memory:
    """Places the arrays and structs of one call behind one another, guard bytes between."""

    def __init__(self) -> None:
        self._image = bytearray(GUARD)
        self._arrays: list[tuple[np.ndarray, int]] = []

    def word(self, argument: Argument) -> int:
        """The 32-bit value of an argument or struct field."""
        if argument is None:
            return 0
        if isinstance(argument, Struct):
            words = [self.word(field) & 0xFFFF_FFFF for field in argument.fields]
            return self._place(struct.pack(f"<{len(words)}I", *words), odd=False)
        if isinstance(argument, np.ndarray):
            return self._place_array(argument)
        return int(argument) & 0xFFFF_FFFF

    def _place_array(self, array: np.ndarray) -> int:
        base = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        delta = array.ctypes.data - base.ctypes.data
        for placed, address in self._arrays:
            if placed is base:
                return address + delta
        if not base.flags.c_contiguous:
            raise ValueError("arrays of a call must be contiguous")
        address = self._place(base.tobytes(), odd=base.dtype.itemsize == 1)
        self._arrays.append((base, address))
        return address + delta

    def _place(self, data: bytes, odd: bool) -> int:
        while len(self._image) % 16 != (3 if odd else 0):
            self._image += b"\xee"
        address = RAM_ADDRESS + len(self._image)
        self._image += data + GUARD
        return address

    def arrays(self) -> list[np.ndarray]:
        """The arrays in the order in which they were first passed."""
        return [array for array, _ in self._arrays]

    def ranges(self) -> list[tuple[int, int]]:
        """Begin and end address of each array."""
        return [(address, address + array.nbytes) for array, address in self._arrays]

    def image(self) -> bytes:
        """What lies at RAM_ADDRESS at the call."""
        if len(self._image) > RAM_BYTES - STACK_BYTES:
            raise ValueError("the arrays of this call do not fit the emulated memory")
        return bytes(self._image)

    def check_and_store(self, after: bytes) -> None:
        """Everything but the arrays must be unchanged; the arrays take their new content."""
        position = 0
        for array, address in self._arrays:
            begin = address - RAM_ADDRESS
            assert after[position:begin] == bytes(self._image[position:begin]), (
                f"bytes before the array at {address:#x} were written"
            )
            position = begin + array.nbytes
            data = np.frombuffer(after[begin:position], dtype=array.dtype).reshape(array.shape)
            if not np.array_equal(array, data):
                array[...] = data
        assert after[position:] == bytes(self._image[position:]), "bytes after the last array"
