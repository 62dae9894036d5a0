"""Runs one function on a Unicorn core: buffers in, registers and buffers out."""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from predictor.emulation.function_call import (
    PAGE_BYTES,
    PRESERVED,
    PRESERVED_FLOATS,
    RETURN_ADDRESS,
    WINDOW_BASE,
    Argument,
    CallFrame,
    CallResult,
    PlacedBuffer,
    call_frame,
    check_preserved,
    describe_place,
    filled,
    require_window,
    stack_span,
)
from predictor.emulation.machine import Fault, FaultKind
from predictor.emulation.unicorn.access_trace import READABLE, WRITABLE, BoundsChecker
from predictor.emulation.unicorn.core_devices import SystemControl
from predictor.emulation.unicorn.fault_report import RawFault

if TYPE_CHECKING:
    from predictor.emulation.unicorn.core import UnicornCore

_BREAKPOINT = b"\x00\xbe"


class FunctionRunner:
    """Calls functions of a core's program.

    The program's data is set up once, as its start-up code would; functions keep what they leave
    in their static variables from call to call.
    """

    def __init__(self, core: UnicornCore) -> None:
        from unicorn.unicorn_const import UC_PROT_EXEC, UC_PROT_READ

        require_window([item.memory for item in core.memory.mapped])
        self._core = core
        core.engine.mem_map(RETURN_ADDRESS, PAGE_BYTES, UC_PROT_READ | UC_PROT_EXEC)
        core.engine.mem_write(RETURN_ADDRESS, _BREAKPOINT)
        ram = [item.memory for item in core.memory.mapped if not item.is_executable]
        self._stack = stack_span(ram, core.image)
        if not core.has_booted:
            self._set_up_data()

    def _set_up_data(self) -> None:
        """What start-up code does: copy .data, clear .bss, switch the FPU on."""
        core = self._core
        for segment in core.image.segments:
            holder = core.memory.find(segment.run_address)
            if holder is not None and not holder.is_read_only:
                blank = bytes(segment.memory_bytes - len(segment.data))
                core.memory.write(segment.run_address, segment.data + blank)
        core.system.write(SystemControl.CPACR, 4, 0xF << 20)

    def prepare(
        self, name: str, arguments: Sequence[Argument], checks_bounds: bool
    ) -> PreparedCall:
        """Maps the buffers and points the core at a function."""
        core = self._core
        address = core.image.symbol(name)
        frame = call_frame(arguments, self._stack, core.image.is_hard_float)
        call = PreparedCall(core, name, frame, checks_bounds)
        core.memory.write(frame.stack_pointer, frame.stack)
        core.start_at(address, frame.stack_pointer)
        core.counter.state.stack_limit = self._stack.start
        self._set_registers(frame)
        core.counter.state.stop_address = RETURN_ADDRESS
        return call

    def _set_registers(self, frame: CallFrame) -> None:
        from unicorn import arm_const as arm

        engine = self._core.engine
        for number, value in enumerate(frame.core):
            engine.reg_write(arm.UC_ARM_REG_R0 + number, value)
        for number, value in enumerate(frame.floats):
            engine.reg_write(arm.UC_ARM_REG_S0 + number, value)
        engine.reg_write(arm.UC_ARM_REG_LR, RETURN_ADDRESS | 1)


class PreparedCall:
    """One call's buffers; ``finish`` must be called once, whatever has happened."""

    def __init__(self, core: UnicornCore, name: str, frame: CallFrame, checks_bounds: bool) -> None:
        self._core = core
        self._name = name
        self._placed, self._addresses = frame.placed, frame.addresses
        self._start_instructions = core.instructions
        self._hosts: list[tuple[PlacedBuffer, mmap.mmap]] = []
        for item in frame.placed:
            host = mmap.mmap(-1, item.pages_bytes)
            start = item.buffer.misalignment
            host[start : start + len(item.buffer.data)] = filled(item, frame.addresses)
            self._map(item, host)
            self._hosts.append((item, host))
        self._checker = self._make_checker() if checks_bounds and frame.placed else None

    def _map(self, item: PlacedBuffer, host: mmap.mmap) -> None:
        from unicorn.unicorn_const import UC_PROT_READ, UC_PROT_WRITE

        permissions = UC_PROT_READ | (UC_PROT_WRITE if item.buffer.is_writable else 0)
        pointer = ctypes.addressof(ctypes.c_char.from_buffer(host))
        self._core.engine.mem_map_ptr(item.first_page, len(host), permissions, pointer)

    def _make_checker(self) -> BoundsChecker:
        last = self._placed[-1]
        allowed = np.zeros(last.end + PAGE_BYTES - WINDOW_BASE, dtype=np.uint8)
        for item in self._placed:
            bits = READABLE | (WRITABLE if item.buffer.is_writable else 0)
            allowed[item.address - WINDOW_BASE : item.end - WINDOW_BASE] = bits
        return BoundsChecker(self._core.engine, self._core.counter, WINDOW_BASE, allowed)

    def fault(self, found: Fault | None) -> Fault | None:
        """The fault of the call; an access outside a buffer is told in terms of the buffers."""
        violation = self._checker.violation if self._checker is not None else None
        if violation is not None:
            verb = "write" if violation.is_write else "read"
            what = f"{verb} of {violation.size_bytes} bytes at {violation.address:#010x}"
            message = f"{what}, {describe_place(violation.address, self._placed)}"
            raw = RawFault(FaultKind.OUT_OF_BUFFER, message, violation.address)
            return self._core.reporter.fault(raw, violation.pc)
        if found is not None and found.address is not None and found.address >= WINDOW_BASE:
            what = found.message.split(",")[0]
            raw = RawFault(
                FaultKind.OUT_OF_BUFFER,
                f"{what}, {describe_place(found.address, self._placed)}",
                found.address,
            )
            return self._core.reporter.fault(raw, found.location.address)
        return found

    def result(self) -> CallResult:
        """Registers and buffers after the return.

        Raises:
            EmulationError: the function broke the procedure call standard.
        """
        from unicorn import arm_const as arm

        core = self._core
        self._check_preserved()
        single = struct.pack("<I", core.engine.reg_read(arm.UC_ARM_REG_S0))
        return CallResult(
            r0=core.engine.reg_read(arm.UC_ARM_REG_R0),
            r1=core.engine.reg_read(arm.UC_ARM_REG_R1),
            s0=struct.unpack("<f", single)[0],
            instructions=core.instructions - self._start_instructions,
            contents={
                item.buffer: host[item.buffer.misalignment :][: len(item.buffer.data)]
                for item, host in self._hosts
            },
            addresses=self._addresses,
        )

    def _check_preserved(self) -> None:
        from unicorn import arm_const as arm

        read = self._core.engine.reg_read
        found = {f"r{n}": read(arm.UC_ARM_REG_R0 + n) for n in PRESERVED}
        found |= {f"s{n}": read(arm.UC_ARM_REG_S0 + n) for n in PRESERVED_FLOATS}
        found["sp"] = read(arm.UC_ARM_REG_SP)
        check_preserved(self._name, found, self._core.stack_top)

    def finish(self) -> None:
        """Unmaps the buffers."""
        if self._checker is not None:
            self._checker.remove()
        for item, host in self._hosts:
            self._core.engine.mem_unmap(item.first_page, len(host))
