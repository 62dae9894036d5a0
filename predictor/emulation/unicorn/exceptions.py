"""Exception entry and return of the Armv7-M core, which Unicorn leaves to its host.

Mirrors the architecture's PushStack, ExceptionTaken and PopStack (reference manual, B1.5.6 to
B1.5.8). One exception runs at a time: a second one waits until the first returns.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from predictor.emulation.unicorn.core_devices import PENDSV, SYSTICK, SystemControl

if TYPE_CHECKING:
    from unicorn import Uc

_FRAME_BYTES = 32
_FLOAT_FRAME_BYTES = 72
_FLOAT_ACTIVE = 1 << 2
_SPSEL = 1 << 1
_ALIGNED = 1 << 9
"""xPSR bit of a stacked frame: the stack pointer was moved to a multiple of 8."""


def next_exception(engine: Uc, system: SystemControl) -> int | None:
    """The pending exception that may run now: highest priority, not masked, none running."""
    from unicorn.arm_const import UC_ARM_REG_BASEPRI, UC_ARM_REG_PRIMASK

    if system.active_exception or not system.pending or engine.reg_read(UC_ARM_REG_PRIMASK) & 1:
        return None
    number = min(system.pending, key=lambda item: (system.priority(item), item))
    base_priority = engine.reg_read(UC_ARM_REG_BASEPRI)
    if number in (PENDSV, SYSTICK) and base_priority and system.priority(number) >= base_priority:
        return None
    return number


def enter(engine: Uc, system: SystemControl, number: int, handler: int) -> None:
    """Stacks the frame and points the core at a handler; the program counter is that of return."""
    from unicorn import arm_const as arm

    control = engine.reg_read(arm.UC_ARM_REG_CONTROL)
    has_floats = bool(control & _FLOAT_ACTIVE)
    stack_pointer = engine.reg_read(arm.UC_ARM_REG_SP)
    status = engine.reg_read(arm.UC_ARM_REG_XPSR)
    registers = (
        arm.UC_ARM_REG_R0,
        arm.UC_ARM_REG_R1,
        arm.UC_ARM_REG_R2,
        arm.UC_ARM_REG_R3,
        arm.UC_ARM_REG_R12,
        arm.UC_ARM_REG_LR,
        arm.UC_ARM_REG_PC,
    )
    frame = [engine.reg_read(register) for register in registers]
    bytes_needed = _FRAME_BYTES + (_FLOAT_FRAME_BYTES if has_floats else 0)
    base = (stack_pointer - bytes_needed) & ~7
    padded = (stack_pointer - bytes_needed) & 4
    engine.mem_write(base, struct.pack("<8I", *frame, status & ~_ALIGNED | padded << 7))
    if has_floats:
        floats = [engine.reg_read(arm.UC_ARM_REG_S0 + index) for index in range(16)]
        floats += [engine.reg_read(arm.UC_ARM_REG_FPSCR), 0]
        engine.mem_write(base + _FRAME_BYTES, struct.pack("<18I", *floats))
    engine.reg_write(arm.UC_ARM_REG_SP, base)
    uses_process_stack = bool(control & _SPSEL)
    exception_return = 0xFFFFFFF9 | (4 if uses_process_stack else 0)
    engine.reg_write(arm.UC_ARM_REG_EPSR, 1 << 24)  # leaves an IT block
    engine.reg_write(arm.UC_ARM_REG_IPSR, number)
    engine.reg_write(arm.UC_ARM_REG_LR, exception_return & ~(has_floats << 4))
    engine.reg_write(arm.UC_ARM_REG_PC, handler | 1)
    system.pending.discard(number)
    system.active_exception = number


def leave(engine: Uc, system: SystemControl, exception_return: int) -> str:
    """Unstacks the frame; the core goes on at the address in it.

    Returns: why it cannot, for hardware traps that too; empty where it does.
    """
    from unicorn import UcError
    from unicorn import arm_const as arm

    if not system.active_exception:
        return f"jump to {exception_return:#010x}, the end of an exception, and none is active"
    engine.reg_write(arm.UC_ARM_REG_IPSR, 0)
    is_process_stack = bool(exception_return & 4)
    control = engine.reg_read(arm.UC_ARM_REG_CONTROL) & ~_SPSEL
    engine.reg_write(arm.UC_ARM_REG_CONTROL, control | (_SPSEL if is_process_stack else 0))
    base = engine.reg_read(arm.UC_ARM_REG_SP)
    size = _FRAME_BYTES
    has_floats = not exception_return & 1 << 4
    try:
        words = struct.unpack("<8I", engine.mem_read(base, _FRAME_BYTES))
        frame = engine.mem_read(base + size, _FLOAT_FRAME_BYTES if has_floats else 0)
    except UcError:
        return f"no memory holds the exception's frame, at {base:#010x}"
    if has_floats:
        floats = struct.unpack("<18I", frame)
        for index, value in enumerate(floats[:16]):
            engine.reg_write(arm.UC_ARM_REG_S0 + index, value)
        engine.reg_write(arm.UC_ARM_REG_FPSCR, floats[16])
        size += _FLOAT_FRAME_BYTES
    registers = (
        arm.UC_ARM_REG_R0,
        arm.UC_ARM_REG_R1,
        arm.UC_ARM_REG_R2,
        arm.UC_ARM_REG_R3,
        arm.UC_ARM_REG_R12,
        arm.UC_ARM_REG_LR,
    )
    for register, value in zip(registers, words, strict=False):
        engine.reg_write(register, value)
    address, status = words[6], words[7]
    engine.reg_write(arm.UC_ARM_REG_SP, base + size + (4 if status & _ALIGNED else 0))
    engine.reg_write(arm.UC_ARM_REG_XPSR_NZCVQG, status & 0xF80F0000)
    engine.reg_write(arm.UC_ARM_REG_EPSR, status & 0x0700FC00)
    engine.reg_write(arm.UC_ARM_REG_PC, address | 1)
    system.active_exception = 0
    return ""
