"""Watches a program's reads and writes: a recorder for analysis, a checker of buffer bounds.

Either makes every access of the whole program take Unicorn's slow path, some four times slower
than running without; they are for tests and analysis.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from predictor.emulation.unicorn.block_counter import BlockCounter, native_library
from predictor.emulation.unicorn.counter_state import STOP_OFFSET, Stop
from predictor.emulation.unicorn.library import (
    add_native_hook,
    function_address,
    remove_native_hook,
)
from predictor.records import dataclass

if TYPE_CHECKING:
    from unicorn import Uc

ACCESS_DTYPE = np.dtype(
    [
        ("instructions", "<u8"),
        ("pc", "<u4"),
        ("address", "<u4"),
        ("value", "<u4"),
        ("bytes", "<u2"),
        ("is_write", "<u2"),
    ]
)
"""One access: ``instructions`` were executed before its block, ``value`` is what was written."""
CAPACITY = 65536
READABLE, WRITABLE = 1, 2
AccessConsumer = Callable[[npt.NDArray[Any]], None]


class ItBlock(ctypes.Structure):
    """First field of each hook's state; see ``_accesses.c``."""

    epsr: int
    epsr_register: int
    _fields_ = (
        ("reg_write", ctypes.c_void_p),
        ("epsr_register", ctypes.c_int32),
        ("epsr", ctypes.c_uint32),
    )


def no_it_block() -> ItBlock:
    """The state of a core in Thumb code outside of IT blocks."""
    from unicorn.arm_const import UC_ARM_REG_EPSR

    return ItBlock(function_address("uc_reg_write"), UC_ARM_REG_EPSR, 1 << 24)


class _Recorder(ctypes.Structure):
    _fields_ = (
        ("it_block", ItBlock),
        ("instructions", ctypes.c_void_p),
        ("accesses", ctypes.c_void_p),
        ("count", ctypes.c_uint32),
        ("capacity", ctypes.c_uint32),
        ("reg_read", ctypes.c_void_p),
        ("flush", ctypes.c_void_p),
        ("pc_register", ctypes.c_int32),
        ("padding", ctypes.c_uint32),
    )


class _Checker(ctypes.Structure):
    _fields_ = (
        ("it_block", ItBlock),
        ("base", ctypes.c_uint32),
        ("bytes", ctypes.c_uint32),
        ("allowed", ctypes.c_void_p),
        ("violated", ctypes.c_uint32),
        ("violation_address", ctypes.c_uint32),
        ("violation_bytes", ctypes.c_uint32),
        ("violation_is_write", ctypes.c_uint32),
        ("violation_pc", ctypes.c_uint32),
        ("pc_register", ctypes.c_int32),
        ("counter_stop", ctypes.c_void_p),
        ("emu_stop", ctypes.c_void_p),
        ("reg_read", ctypes.c_void_p),
    )


@dataclass(frozen=True, slots=True)
class Violation:
    """An access that a checker does not allow."""

    address: int
    size_bytes: int
    is_write: bool
    pc: int


class MemoryHook:
    """A hook on reads and writes of ``begin`` up to, not including, ``end``."""

    def __init__(self, engine: Uc, begin: int, end: int, name: str, state: Any) -> None:
        from unicorn.unicorn_const import UC_HOOK_MEM_READ, UC_HOOK_MEM_WRITE

        self._engine = engine
        self._it_block = no_it_block()
        self._remove: Callable[[], None]
        kind = UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE
        library = native_library()
        if library is None:
            handle = engine.hook_add(kind, self._on_python_access, None, begin, end - 1)
            self._remove = partial(engine.hook_del, handle)
        else:
            function = ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
            address = ctypes.addressof(state)
            handle = add_native_hook(engine, kind, function, address, begin, end - 1)
            self._remove = partial(remove_native_hook, engine, handle)
        engine.ctl_flush_tb()  # what is translated already takes the fast path

    def remove(self) -> None:
        """Takes the hook out; the program runs at full speed again."""
        self._remove()
        self._engine.ctl_flush_tb()

    def _on_python_access(
        self, engine: Uc, kind: int, address: int, size_bytes: int, value: int, data: Any
    ) -> None:
        engine.reg_write(self._it_block.epsr_register, self._it_block.epsr)  # as in _accesses.c
        self._on_access(engine, kind, address, size_bytes, value, data)

    def _on_access(
        self, engine: Uc, kind: int, address: int, size_bytes: int, value: int, _: Any
    ) -> None:
        raise NotImplementedError


class AccessRecorder(MemoryHook):
    """Hands accesses to a range to a consumer, in order, many at a time.

    The arrays (of ``ACCESS_DTYPE``) are only valid during the call; copy what is kept. Call
    ``flush`` after a run for the rest.
    """

    def __init__(
        self, engine: Uc, counter: BlockCounter, begin: int, end: int, consumer: AccessConsumer
    ) -> None:
        from unicorn.arm_const import UC_ARM_REG_PC

        self._counter = counter
        self._consumer = consumer
        self._accesses = np.zeros(CAPACITY, dtype=ACCESS_DTYPE)
        self._callback = ctypes.CFUNCTYPE(None)(self._consume)
        self._state = _Recorder(
            it_block=no_it_block(),
            instructions=ctypes.addressof(counter.state),  # its first field
            accesses=self._accesses.ctypes.data,
            capacity=CAPACITY,
            reg_read=function_address("uc_reg_read"),
            flush=ctypes.cast(self._callback, ctypes.c_void_p).value,
            pc_register=UC_ARM_REG_PC,
        )
        self._error: BaseException | None = None
        super().__init__(engine, begin, end, "accesses_record", self._state)

    def _on_access(
        self, engine: Uc, kind: int, address: int, size_bytes: int, value: int, _: Any
    ) -> None:
        from unicorn.unicorn_const import UC_MEM_WRITE

        pc = engine.reg_read(self._state.pc_register)
        instructions, is_write = self._counter.state.instructions, kind == UC_MEM_WRITE
        row = (instructions, pc, address, value & 0xFFFFFFFF, size_bytes, is_write)
        self._accesses[self._state.count] = row
        self._state.count += 1
        if self._state.count == CAPACITY:
            self._consume()
            self._state.count = 0

    def _consume(self) -> None:
        """Called from C; an exception must wait until the emulation has stopped."""
        try:
            self._consumer(self._accesses[: self._state.count])
        except BaseException as error:
            self._error = self._error or error
            self._counter.state.deadline = 0

    def flush(self) -> None:
        """Hands over what is left; raises what the consumer raised during the run."""
        if self._error is None and self._state.count:
            self._consume()
        self._state.count = 0
        if self._error is not None:
            error, self._error = self._error, None
            raise error


class BoundsChecker(MemoryHook):
    """Stops the emulation at the first access to a byte of a window that is not allowed.

    Args:
        base: address of the window.
        allowed: READABLE and WRITABLE bits for each byte of it.
    """

    def __init__(
        self, engine: Uc, counter: BlockCounter, base: int, allowed: npt.NDArray[np.uint8]
    ) -> None:
        from unicorn.arm_const import UC_ARM_REG_PC

        self._counter = counter
        self._allowed = np.ascontiguousarray(allowed)
        self._state = _Checker(
            it_block=no_it_block(),
            base=base,
            bytes=len(allowed),
            allowed=self._allowed.ctypes.data,
            pc_register=UC_ARM_REG_PC,
            counter_stop=ctypes.addressof(counter.state) + STOP_OFFSET,
            emu_stop=function_address("uc_emu_stop"),
            reg_read=function_address("uc_reg_read"),
        )
        super().__init__(engine, base, base + len(allowed), "accesses_check", self._state)

    def _on_access(
        self, engine: Uc, kind: int, address: int, size_bytes: int, value: int, _: Any
    ) -> None:
        from unicorn.unicorn_const import UC_MEM_WRITE

        state, is_write = self._state, kind == UC_MEM_WRITE
        offset = address - state.base
        touched = self._allowed[offset : offset + size_bytes] & (WRITABLE if is_write else READABLE)
        if state.violated or (len(touched) == size_bytes and touched.all()):
            return
        state.violated = 1
        state.violation_address, state.violation_bytes = address, size_bytes
        state.violation_is_write = is_write
        state.violation_pc = engine.reg_read(state.pc_register)
        self._counter.state.stop = Stop.REQUESTED
        engine.emu_stop()

    @property
    def violation(self) -> Violation | None:
        """The first access that was not allowed."""
        state = self._state
        if not state.violated:
            return None
        return Violation(
            state.violation_address,
            state.violation_bytes,
            bool(state.violation_is_write),
            state.violation_pc & ~1,
        )
