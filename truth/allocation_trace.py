"""Watches TFLM allocate a model in an emulated firmware, by the entries of its functions."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from predictor.emulation.unicorn.machine import UnicornMachine
from predictor.memory.arena_report import (
    BUILTIN_DATA,
    EVAL_TENSORS,
    NODES,
    PERSISTENT_BUFFERS,
    PERSISTENT_TENSORS,
    QUANTIZATION,
    RUNTIME_OBJECTS,
    SCRATCH_HANDLES,
    VARIABLES,
)
from truth.figures import Allocation

_KINDS = {
    "AllocatePersistentBuffer": PERSISTENT_BUFFERS,
    "AllocateTfLiteEvalTensors": EVAL_TENSORS,
    "AllocateNodeAndRegistrations": NODES,
    "AllocateVariables": VARIABLES,
    "AllocatePersistentTfLiteTensorInternal": PERSISTENT_TENSORS,
    "PopulateTfLiteTensorFromFlatbuffer": QUANTIZATION,
    "AllocateScratchBufferHandles": SCRATCH_HANDLES,
}
"""Methods of MicroAllocator that allocate one kind each."""


def _mangled(of: str, method: str) -> str:
    """What the mangled names of a method of a class have in common."""
    return f"{len(of)}{of}{len(method)}{method}E"


_ENTERED = {_mangled("MicroAllocator", method): kind for method, kind in _KINDS.items()}
_ENTERED[_mangled("MicroBuiltinDataAllocator", "Allocate")] = BUILTIN_DATA
_THUNK = "_ZThn"
_ALLOCATE = _mangled("SingleArenaBufferAllocator", "AllocatePersistentBuffer")
_ADD_BUFFER = _mangled("GreedyMemoryPlanner", "AddBuffer")
_GET_OFFSET = _mangled("GreedyMemoryPlanner", "GetOffsetForBuffer")


@dataclass(slots=True)
class AllocationTrace:
    """Allocations from the tail in their order, and planned buffers as [size, first, last] with
    their offsets by position."""

    persistent: list[Allocation] = field(default_factory=list)
    buffers: list[tuple[int, int, int]] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)

    @property
    def plan(self) -> tuple[tuple[int, int, int, int], ...]:
        """Size, first and last step and offset of each buffer."""
        return tuple((*buffer, self.offsets[i]) for i, buffer in enumerate(self.buffers))


class _Watch:
    """What the hook on blocks needs: handlers by address, and the calls that have not returned."""

    def __init__(self, machine: UnicornMachine, trace: AllocationTrace) -> None:
        from unicorn import arm_const as arm

        self._arm = arm
        self._machine, self._trace = machine, trace
        self._engine = machine._core.engine
        self._calls: list[tuple[int, int, str, Callable[[], None] | None]] = []
        self._handlers: dict[int, Callable[[], None]] = {}
        for function in machine._core.image.functions:
            handler = self._handler(function.name)
            if handler is not None:
                self._handlers[function.address & ~1] = handler

    def _handler(self, name: str) -> Callable[[], None] | None:
        if name.startswith(_THUNK):
            return None
        if _ALLOCATE in name:
            return self._allocate
        if _ADD_BUFFER in name:
            return self._add_buffer
        if _GET_OFFSET in name:
            return self._get_offset
        kind = next((kind for method, kind in _ENTERED.items() if method in name), None)
        return None if kind is None else lambda: self._enter(kind)

    def on_block(self, _engine: object, address: int, _size: int, _data: object) -> None:
        while self._calls and self._calls[-1][:2] == (address, self._stack_pointer):
            _, _, _, at_return = self._calls.pop()
            if at_return is not None:
                at_return()
        handler = self._handlers.get(address)
        if handler is not None:
            handler()

    @property
    def _stack_pointer(self) -> int:
        return int(self._engine.reg_read(self._arm.UC_ARM_REG_SP))

    def _arguments(self) -> tuple[int, int, int]:
        """Those behind ``this``, signed."""
        arm = self._arm
        words = (arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_R3)
        values = struct.pack("<3I", *(self._engine.reg_read(word) for word in words))
        first, second, third = struct.unpack("<3i", values)
        return first, second, third

    def _enter(self, kind: str, at_return: Callable[[], None] | None = None) -> None:
        back = int(self._engine.reg_read(self._arm.UC_ARM_REG_LR)) & ~1
        self._calls.append((back, self._stack_pointer, kind, at_return))

    def _allocate(self) -> None:
        size, alignment, _ = self._arguments()
        kind = self._calls[-1][2] if self._calls else RUNTIME_OBJECTS
        self._trace.persistent.append((kind, size, alignment))

    def _add_buffer(self) -> None:
        # The overload with an offset may call the other one.
        if self._calls and self._calls[-1][2] == _ADD_BUFFER:
            return
        self._enter(_ADD_BUFFER)
        self._trace.buffers.append(self._arguments())

    def _get_offset(self) -> None:
        index, place, _ = self._arguments()
        address = place & 0xFFFFFFFF

        def note() -> None:
            (offset,) = struct.unpack("<i", self._machine.read_memory(address, 4))
            self._trace.offsets[index] = offset

        self._enter("", note)


@contextmanager
def traced_allocations(machine: UnicornMachine) -> Iterator[AllocationTrace]:
    """Notes what TFLM allocates while the machine runs.

    The functions are those of current TFLM; none of them is inlined, because they are virtual.
    """
    from unicorn.unicorn_const import UC_HOOK_BLOCK

    trace = AllocationTrace()
    engine = machine._core.engine
    hook = engine.hook_add(UC_HOOK_BLOCK, _Watch(machine, trace).on_block)
    engine.ctl_flush_tb()  # blocks that ran before know nothing of the hook
    try:
        yield trace
    finally:
        engine.hook_del(hook)
        engine.ctl_flush_tb()
