"""The kernels on an emulated core, in either emulator, with instruction counts.

Every array of a call is a buffer of :meth:`Machine.call`, int8 and uint8 arrays at an odd address:
an access beside the arrays fails the call.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kernels.binding import (
    INCLUDE_DIRECTORY,
    WARNING_FLAGS,
    Argument,
    CompilerNotFoundError,
    Struct,
    sources,
)
from predictor.boards.board import find_board
from predictor.cores.core import find_core
from predictor.emulation.function_call import WINDOW_BASE, Buffer, CallResult, Pointer
from predictor.emulation.machine import Machine
from predictor.emulation.platform.board_platform import board_platform
from predictor.emulation.unicorn.machine import UnicornMachine

COMPILER = "arm-none-eabi-gcc"
BOARDS = {"cortex-m4": "f446re", "cortex-m7": "f746zg"}
CORES = tuple(BOARDS)
FLASH_ADDRESS = 0x0800_0000
_TRACED_BYTES = 1 << 24
_ODD = 3
"""Bytes behind a multiple of four at which arrays of single bytes start."""


def build(destination: Path, cpu: str, flags: tuple[str, ...] = ("-O2",)) -> Path:
    """Link all kernels for `cpu` into one ELF file at FLASH_ADDRESS.

    Raises CompilerNotFoundError.
    """
    if shutil.which(COMPILER) is None:
        raise CompilerNotFoundError(f"{COMPILER} is not installed (apt install gcc-arm-none-eabi)")
    command = [COMPILER, *WARNING_FLAGS, *flags, *find_core(cpu).compiler_flags]
    command += [f"-I{INCLUDE_DIRECTORY}", "-ffunction-sections", "-nostartfiles", "-nostdlib"]
    command += [f"-Wl,-Ttext={FLASH_ADDRESS:#x},-e,0,--no-warn-rwx-segments"]
    command += [*map(str, sources()), "-lc", "-lgcc", "-o", str(destination)]
    subprocess.run(command, check=True)
    return destination


def in_process(elf_path: Path, cpu: str) -> EmulatedLibrary:
    """The library on a core of this process."""
    return EmulatedLibrary(UnicornMachine(board_platform(find_board(BOARDS[cpu]))), elf_path)


class EmulatedLibrary:
    """A `kernels.binding.Library` on an emulated core.

    `instructions` is the count of the last call (instructions whose IT condition fails included).
    """

    def __init__(self, machine: Machine, elf_path: Path) -> None:
        machine.load_elf(elf_path)
        self._machine = machine
        self.array_order: list[npt.NDArray[np.generic]] = []
        self.instructions = 0

    def call(self, symbol: str, *arguments: Argument) -> int:
        """See Library.call; raises FirmwareFaultError where it accesses memory of others."""
        memory = _Memory()
        result = self._machine.call(symbol, *map(memory.argument, arguments))
        self._finish(memory, result)
        return result.int32

    def _finish(self, memory: _Memory, result: CallResult) -> None:
        memory.store(result.contents)
        self.array_order = [item.array for item in memory.arrays]
        self.instructions = result.instructions

    def traced_call(self, symbol: str, *arguments: Argument) -> list[tuple[bool, int, int]]:
        """Every access of a call to its arrays: (is a write, address, bytes), in order.

        Addresses count from the start of the array that holds them, with the array's number in
        bits 32 and up (arrays in the order in which they were first passed). For machines of this
        process only.
        """
        assert isinstance(self._machine, UnicornMachine)
        memory = _Memory()
        values = [memory.argument(argument) for argument in arguments]
        chunks: list[npt.NDArray[np.void]] = []
        end = WINDOW_BASE + _TRACED_BYTES
        recorder = self._machine.trace_accesses(WINDOW_BASE, end, lambda x: chunks.append(x.copy()))
        try:
            result = self._machine.call(symbol, *values, checks_bounds=False)
            recorder.flush()
        finally:
            recorder.remove()
        assert result.int32 == 0
        self._finish(memory, result)
        located = []
        for chunk in chunks:
            for address, size, is_write in zip(
                chunk["address"].tolist(),
                chunk["bytes"].tolist(),
                chunk["is_write"].tolist(),
                strict=True,
            ):
                for number, item in enumerate(memory.arrays):
                    begin = result.addresses[item.buffer]
                    if begin <= address < begin + item.array.nbytes:
                        located.append((bool(is_write), (number << 32) + address - begin, size))
        return located


@dataclass(frozen=True, slots=True)
class _Array:
    """An array that a call was given, or of which it was given a part, and its buffer."""

    array: npt.NDArray[np.generic]
    buffer: Buffer


class _Memory:
    """Makes buffers of the arrays and structs of one call."""

    def __init__(self) -> None:
        self.arrays: list[_Array] = []

    def argument(self, argument: Argument) -> int | Buffer | Pointer:
        """What stands for an argument, or for a field of a struct."""
        if argument is None:
            return 0
        if isinstance(argument, Struct):
            fields = [self.argument(field) for field in argument.fields]
            words = [field & 0xFFFF_FFFF if isinstance(field, int) else 0 for field in fields]
            pointers = {
                4 * i: field for i, field in enumerate(fields) if not isinstance(field, int)
            }
            return Buffer(struct.pack(f"<{len(words)}I", *words), "struct", pointers=pointers)
        if isinstance(argument, np.ndarray):
            return self._array(argument)
        return int(argument) & 0xFFFF_FFFF

    def _array(self, array: npt.NDArray[np.generic]) -> Pointer:
        base = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        offset = array.ctypes.data - base.ctypes.data
        for item in self.arrays:
            if item.array is base:
                return Pointer(item.buffer, offset)
        if not base.flags.c_contiguous:
            raise ValueError("arrays of a call must be contiguous")
        misalignment = _ODD if base.dtype.itemsize == 1 else 0
        buffer = Buffer(base.tobytes(), f"array {len(self.arrays)}", misalignment=misalignment)
        self.arrays.append(_Array(base, buffer))
        return Pointer(buffer, offset)

    def store(self, contents: Mapping[Buffer, bytes]) -> None:
        """The arrays take their content after the call."""
        for item in self.arrays:
            data = np.frombuffer(contents[item.buffer], dtype=item.array.dtype)
            if not np.array_equal(item.array.reshape(-1), data):
                item.array[...] = data.reshape(item.array.shape)
