"""Calls one function of a program, with its buffers alone between pages that fault.

Arguments follow the Procedure Call Standard for the Arm Architecture (AAPCS32): whole numbers and
pointers in r0 to r3, then on the stack; floats in s0 to s15 where the program is built for hard
floats.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from predictor.errors import EmulationError

PAGE_BYTES = 4096
MAX_ALIGNMENT = PAGE_BYTES


@dataclass(frozen=True, eq=False)
class Buffer:
    """Memory of one argument; a function may touch these bytes and none beside them.

    Attributes:
        data: content at the call, and so the size.
        name: for messages.
        is_writable: False for what the function may only read.
        alignment: the address is a multiple of it.
        pointers: other buffers whose addresses stand in this one, by byte offset.
    """

    data: bytes
    name: str = "buffer"
    is_writable: bool = True
    alignment: int = 16
    pointers: Mapping[int, Buffer] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not 1 <= self.alignment <= MAX_ALIGNMENT or MAX_ALIGNMENT % self.alignment:
            raise EmulationError(f"{self.name}: alignment {self.alignment} is not a power of two")
        for offset in self.pointers:
            if not 0 <= offset <= len(self.data) - 4:
                raise EmulationError(f"{self.name} has no room for a pointer at byte {offset}")


Argument = int | float | Buffer | ctypes.c_int64 | ctypes.c_uint64 | ctypes.c_double | bytes
"""A whole number of up to 32 bits, a float, a pointer, a 64-bit value, or a struct by value."""


@dataclass(frozen=True)
class CallResult:
    """What a function returned and left in its buffers.

    Attributes:
        r0, r1: core registers at return; a 64-bit result stands in both.
        s0: floating-point register at return.
        instructions: executed from the function's first instruction to its return.
    """

    r0: int
    r1: int
    s0: float
    instructions: int
    contents: Mapping[Buffer, bytes] = field(repr=False)

    @property
    def int32(self) -> int:
        """r0 as a signed number."""
        return self.r0 - (self.r0 >> 31 << 32)

    @property
    def int64(self) -> int:
        """r1:r0 as a signed number."""
        value = self.r1 << 32 | self.r0
        return value - (value >> 63 << 64)


@dataclass(frozen=True, slots=True)
class PlacedBuffer:
    """A buffer at its address."""

    buffer: Buffer
    address: int

    @property
    def end(self) -> int:
        return self.address + len(self.buffer.data)


def place_buffers(arguments: Sequence[Argument], base: int) -> tuple[PlacedBuffer, ...]:
    """Addresses for all buffers: each on pages of its own, an empty page before and behind."""
    placed: list[PlacedBuffer] = []
    address = base + PAGE_BYTES
    for buffer in _all_buffers(arguments):
        placed.append(PlacedBuffer(buffer, address))
        pages = max(1, -(-len(buffer.data) // PAGE_BYTES))
        address += (pages + 1) * PAGE_BYTES
    return tuple(placed)


def _all_buffers(arguments: Sequence[Argument]) -> Iterator[Buffer]:
    """Each buffer once, those that others point to included."""
    seen: dict[Buffer, None] = {}
    waiting = [argument for argument in arguments if isinstance(argument, Buffer)]
    while waiting:
        buffer = waiting.pop(0)
        if buffer not in seen:
            seen[buffer] = None
            waiting.extend(buffer.pointers.values())
    return iter(seen)


def filled(item: PlacedBuffer, addresses: Mapping[Buffer, int]) -> bytes:
    """A buffer's content with the addresses of the buffers that it points to."""
    content = bytearray(item.buffer.data)
    for offset, target in item.buffer.pointers.items():
        struct.pack_into("<I", content, offset, addresses[target])
    return bytes(content)


@dataclass(frozen=True, slots=True)
class RegisterArguments:
    """Arguments as the callee finds them: core registers, float registers, stack."""

    core: tuple[int, ...]
    floats: tuple[int, ...]
    stack: bytes


def marshal(
    arguments: Sequence[Argument], addresses: Mapping[Buffer, int], is_hard_float: bool
) -> RegisterArguments:
    """Lays out arguments by AAPCS32, 6.5 and, for hard floats, 7.1.

    Raises:
        EmulationError: an argument does not fit its type.
    """
    core: list[int] = []
    floats: list[int] = []
    stack: list[int] = []
    for argument in arguments:
        words, is_double = _words(argument, addresses)
        if is_hard_float and isinstance(argument, float | ctypes.c_double):
            if is_double and len(floats) % 2:
                raise EmulationError("a double behind an odd number of floats is not supported")
            (floats if len(floats) + len(words) <= 16 else stack).extend(words)
            continue
        if is_double and not stack:
            core += [0] * (len(core) % 2)
        if is_double and (stack or len(core) >= 4):
            stack += [0] * (len(stack) % 2)
        fitting = 0 if stack else max(0, 4 - len(core))
        if is_double and fitting < 2:
            fitting = 0
        core += words[:fitting]
        stack += words[fitting:]
    return RegisterArguments(tuple(core), tuple(floats), struct.pack(f"<{len(stack)}I", *stack))


def _words(argument: Argument, addresses: Mapping[Buffer, int]) -> tuple[list[int], bool]:
    """The 32-bit words of an argument, and whether they need an even register."""
    if isinstance(argument, Buffer):
        return [addresses[argument]], False
    if isinstance(argument, float):
        return list(struct.unpack("<I", struct.pack("<f", argument))), False
    if isinstance(argument, bytes):
        padded = argument + bytes(-len(argument) % 4)
        return list(struct.unpack(f"<{len(padded) // 4}I", padded)), False
    if isinstance(argument, ctypes.c_int64 | ctypes.c_uint64 | ctypes.c_double):
        return list(struct.unpack("<2I", bytes(argument))), True
    if not -(1 << 31) <= argument < 1 << 32:
        raise EmulationError(f"argument {argument} does not fit into 32 bits; use ctypes.c_int64")
    return [argument & 0xFFFFFFFF], False
