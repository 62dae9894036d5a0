"""Calls single functions of a program in Renode.

A few instructions in a memory of their own load all registers from a block, call the function and
store the registers behind it, so that nothing but memory goes through the monitor. They switch on
FPU and cycle counter first, and end in a branch to itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from predictor.emulation.function_call import (
    PAGE_BYTES,
    PRESERVED,
    PRESERVED_FLOATS,
    RETURN_ADDRESS,
    WINDOW_BASE,
    WINDOW_BYTES,
    Argument,
    Buffer,
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
from predictor.emulation.machine import Fault, FaultKind, RunResult, StopReason
from predictor.emulation.platform.description import Platform
from predictor.emulation.renode.bus import MonitorBus
from predictor.errors import EmulationError, FirmwareFaultError
from predictor.firmware.elf_image import ElfImage

_SRAM_BASE = 0x20000000
"""Armv7-M memory map: code lies below, data from here on."""
CODE = (
    "1a48 1c49 0a68 42f47002 0a60 bff34f8f bff36f8f"  # CPACR |= 15 << 20; dsb; isb
    "1849 0a68 42f08072 0a60"  # DEMCR |= 1 << 24
    "1849 184a 0a60 1549 0a68 42f00102 0a60"  # DWT_LAR = key; DWT_CTRL |= 1
    "d0f804d0 d0f800e0 4a68 c263"  # ldr sp, [r0, #4]; ldr lr, [r0]; start = DWT_CYCCNT
    "00f14001 {load_floats} 00f10800 90e8ff1f f047"  # ldmia r0, {r0-r12}; blx lr
    "dff820e0 8ee8ff1f 0949 4a68"  # ldr lr, =results; stmia lr, {r0-r12}; end = DWT_CYCCNT
    "cef834d0 cef83820 0ef14001 {store_floats}"  # str sp, [lr, #52]; str end, [lr, #56]
    "fee7 00bf"  # b .
    "0011001d 0812001d 88ed00e0 fced00e0 001000e0 b01f00e0 55ceacc5"  # the addresses and the key
)
"""Thumb code for ``RETURN_ADDRESS``; :data:`ASSEMBLY` in the tests is its source."""
_FLOATS = {"load_floats": "91ec200a", "store_floats": "81ec200a"}  # vldmia, vstmia r1, {s0-s31}
_NO_FLOATS = dict.fromkeys(_FLOATS, "00bf 00bf")
PARK_OFFSET = 0x68
_CALL_BLOCK, _RESULT_BLOCK = RETURN_ADDRESS + 0x1100, RETURN_ADDRESS + 0x1208
"""On another page than the code, which would have to be translated again."""
_CALL_WORDS, _RESULT_WORDS, _FLOATS_AT = 16, 15, 16
"""Before the floats of each block: function, sp, r0 to r12, start; r0 to r12, sp, end."""
_OVERHEAD = 10
"""Instructions between the two looks at the cycle counter that are not the function's."""
_CANARY = b"\xc7" * 64
"""Around each buffer: a write beside it shows up in them."""

Runner = Callable[[range], RunResult]
"""Runs until the program counter lies in a range, or another end."""


class FunctionCaller:
    """Calls functions of the program that a machine holds.

    The program's data is set up once, as its start-up code would; functions keep what they leave
    in their static variables from call to call.
    """

    def __init__(
        self, bus: MonitorBus, platform: Platform, image: ElfImage, has_started: bool
    ) -> None:
        require_window(platform.memories)
        self._bus = bus
        self._image = image
        ram = [memory for memory in platform.memories if memory.base >= _SRAM_BASE]
        self._stack = stack_span(ram, image)
        bus.add_memory("call_code", RETURN_ADDRESS, 2 * PAGE_BYTES)
        bus.add_memory("call_buffers", WINDOW_BASE, WINDOW_BYTES)
        floats = _FLOATS if image.is_hard_float else _NO_FLOATS
        bus.write(RETURN_ADDRESS, bytes.fromhex(CODE.format(**floats)))
        if has_started:
            return
        for segment in image.segments:
            if segment.run_address >= _SRAM_BASE:
                blank = bytes(segment.memory_bytes - len(segment.data))
                bus.write(segment.run_address, segment.data + blank)

    def call(self, name: str, arguments: Sequence[Argument], run: Runner) -> CallResult:
        """As :meth:`Machine.call`.

        Accesses beside buffers are noticed where they are writes within 64 bytes of one, or lie
        outside of all memory.
        """
        frame = call_frame(arguments, self._stack, self._image.is_hard_float)
        placed = frame.placed
        if placed and placed[-1].end > WINDOW_BASE + WINDOW_BYTES - PAGE_BYTES:
            raise EmulationError(f"the buffers of {name} take more than {WINDOW_BYTES} bytes")
        self._write_buffers(placed, frame.addresses)
        self._bus.write(frame.stack_pointer, frame.stack)
        words = [self._image.symbol(name) | 1, frame.stack_pointer, *frame.core, 0, *frame.floats]
        self._bus.write(_CALL_BLOCK, struct.pack(f"<{len(words)}I", *words))
        self._bus.set_program_counter(RETURN_ADDRESS)
        park = range(RETURN_ADDRESS + PARK_OFFSET, RETURN_ADDRESS + PARK_OFFSET + 2)
        result = run(park)
        if result.fault is not None:
            raise FirmwareFaultError(result.fault)
        if result.stop is not StopReason.SYMBOL:
            raise EmulationError(f"{name} did not return: {result.stop.value}")
        return self._result(name, frame)

    def _write_buffers(
        self, placed: Sequence[PlacedBuffer], addresses: Mapping[Buffer, int]
    ) -> None:
        for item in placed:
            content = _CANARY + filled(item, addresses) + _CANARY
            self._bus.write(item.address - len(_CANARY), content)

    def _result(self, name: str, frame: CallFrame) -> CallResult:
        (start,) = struct.unpack("<I", self._bus.read(_CALL_BLOCK + 4 * (_CALL_WORDS - 1), 4))
        block = self._bus.read(_RESULT_BLOCK, 4 * (_FLOATS_AT + 32))
        words = struct.unpack(f"<{_FLOATS_AT + 32}I", block)
        registers = {f"r{n}": words[n] for n in PRESERVED} | {"sp": words[13]}
        if self._image.is_hard_float:
            registers |= {f"s{n}": words[_FLOATS_AT + n] for n in PRESERVED_FLOATS}
        check_preserved(name, registers, frame.stack_pointer)
        return CallResult(
            r0=words[0],
            r1=words[1],
            s0=struct.unpack_from("<f", block, 4 * _FLOATS_AT)[0],
            instructions=(words[_RESULT_WORDS - 1] - start & 0xFFFFFFFF) - _OVERHEAD,
            contents={item.buffer: self._content(item, frame) for item in frame.placed},
            addresses=frame.addresses,
        )

    def _content(self, item: PlacedBuffer, frame: CallFrame) -> bytes:
        margin = len(_CANARY)
        found = self._bus.read(item.address - margin, len(item.buffer.data) + 2 * margin)
        content = found[margin:-margin]
        expected = content if item.buffer.is_writable else filled(item, frame.addresses)
        wanted = _CANARY + expected + _CANARY
        for offset in range(len(found)) if found != wanted else ():
            if found[offset] != wanted[offset]:
                address = item.address - margin + offset
                message = f"write at {address:#010x}, {describe_place(address, frame.placed)}"
                # Where it happened is not known any more.
                location = self._image.locate(RETURN_ADDRESS + PARK_OFFSET)
                raise FirmwareFaultError(Fault(FaultKind.OUT_OF_BUFFER, message, location, address))
        return content
