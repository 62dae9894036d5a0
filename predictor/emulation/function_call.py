"""Calls one function of a program, with its buffers alone between pages that fault.

Arguments follow the Procedure Call Standard for the Arm Architecture (AAPCS32): whole numbers and
pointers in r0 to r3, then on the stack; floats in s0 to s15 where the program is built for hard
floats.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from types import MappingProxyType

from predictor.emulation.platform.description import Memory
from predictor.errors import EmulationError
from predictor.firmware.elf_image import ElfImage
from predictor.records import dataclass

PAGE_BYTES = 4096
WINDOW_BASE = 0x60000000
"""Buffers lie from here on, external RAM in the Armv7-M memory map; few boards have any."""
WINDOW_BYTES = 16 << 20
RETURN_ADDRESS = 0x1D000000
"""Holds the page that calls return to: unused code space of the boards, below what the firmware
guards against its stack."""


@dataclass(frozen=True, eq=False)
class Buffer:
    """Memory of one argument; a function may touch these bytes and none beside them.

    Attributes:
        data: content at the call, and so the size.
        name: for messages.
        is_writable: False for what the function may only read.
        misalignment: bytes behind a multiple of ``PAGE_BYTES`` at which it starts.
        pointers: addresses of other buffers, or in them, that stand in this one, by byte offset.
    """

    data: bytes
    name: str = "buffer"
    is_writable: bool = True
    misalignment: int = 0
    pointers: Mapping[int, Buffer | Pointer] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not 0 <= self.misalignment < PAGE_BYTES:
            raise EmulationError(f"{self.name}: misalignment {self.misalignment} exceeds a page")
        for offset in self.pointers:
            if not 0 <= offset <= len(self.data) - 4:
                raise EmulationError(f"{self.name} has no room for a pointer at byte {offset}")


@dataclass(frozen=True, slots=True)
class Pointer:
    """An address inside a buffer."""

    buffer: Buffer
    offset: int


Argument = (
    int | float | Buffer | Pointer | ctypes.c_int64 | ctypes.c_uint64 | ctypes.c_double | bytes
)
"""A whole number of up to 32 bits, a float, a pointer, a 64-bit value, or a struct by value."""


@dataclass(frozen=True)
class CallResult:
    """What a function returned and left in its buffers.

    Attributes:
        r0, r1: core registers at return; a 64-bit result stands in both.
        s0: floating-point register at return.
        instructions: executed from the function's first instruction to its return.
        addresses: where the buffers were.
    """

    r0: int
    r1: int
    s0: float
    instructions: int
    contents: Mapping[Buffer, bytes] = field(repr=False)
    addresses: Mapping[Buffer, int] = field(repr=False)

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

    @property
    def first_page(self) -> int:
        """Address of the first of its pages."""
        return self.address - self.buffer.misalignment

    @property
    def pages_bytes(self) -> int:
        """Size of all of its pages."""
        return max(1, -(-(self.end - self.first_page) // PAGE_BYTES)) * PAGE_BYTES


def stack_span(memories: Sequence[Memory], image: ElfImage) -> range:
    """The end of RAM, from behind the program's data on: a call's stack."""
    begin = end = max(memory.end for memory in memories)
    for memory in sorted(memories, key=lambda memory: -memory.end):
        if memory.end == begin:
            begin = memory.base
    ends = [segment.run_address + segment.memory_bytes for segment in image.segments]
    return range(max((used for used in ends if begin <= used <= end), default=begin), end)


def register_marker(number: int) -> int:
    """What a register holds at a call that no argument stands in."""
    return 0xC0DE0000 + number


PRESERVED, PRESERVED_FLOATS = range(4, 12), range(16, 32)
"""Registers that a function hands back as it found them: AAPCS32, 6.1."""


def check_preserved(name: str, found: Mapping[str, int], stack_pointer: int) -> None:
    """Raises EmulationError where a function changed a register that it must preserve.

    Args:
        found: r4 to r11, s16 to s31 and sp at its return; any others are not looked at.
    """
    expected = {f"r{n}": register_marker(n) for n in PRESERVED}
    expected |= {f"s{n}": register_marker(n) for n in PRESERVED_FLOATS}
    expected["sp"] = stack_pointer
    for register, value in expected.items():
        if found.get(register, value) != value:
            raise EmulationError(
                f"{name} returns with {register} changed from {value:#010x} to "
                f"{found[register]:#010x}; a function must preserve it (AAPCS32, 6.1)"
            )


def describe_place(address: int, placed: Sequence[PlacedBuffer]) -> str:
    """An address in terms of the nearest buffer."""
    nearest = min(
        placed,
        key=lambda item: max(item.address - address, address - item.end + 1, 0),
        default=None,
    )
    if nearest is None:
        return "where no buffer is"
    name, size = nearest.buffer.name, len(nearest.buffer.data)
    if address >= nearest.end:
        return f"{address - nearest.end} bytes past the end of {name} ({size} bytes)"
    if address < nearest.address:
        return f"{nearest.address - address} bytes before {name} ({size} bytes)"
    if not nearest.buffer.is_writable:
        return f"in {name}, which is read-only"
    return f"which reaches past the end of {name} ({size} bytes)"


def place_buffers(arguments: Sequence[Argument], base: int) -> tuple[PlacedBuffer, ...]:
    """Addresses for all buffers: each on pages of its own, an empty page before and behind."""
    placed: list[PlacedBuffer] = []
    address = base + PAGE_BYTES
    for buffer in _all_buffers(arguments):
        item = PlacedBuffer(buffer, address + buffer.misalignment)
        placed.append(item)
        address = item.first_page + item.pages_bytes + PAGE_BYTES
    return tuple(placed)


def _all_buffers(arguments: Sequence[Argument]) -> Iterator[Buffer]:
    """Each buffer once, those that others point to included."""
    seen: dict[Buffer, None] = {}
    waiting = [argument for argument in arguments if isinstance(argument, Buffer | Pointer)]
    while waiting:
        first = waiting.pop(0)
        buffer = first.buffer if isinstance(first, Pointer) else first
        if buffer not in seen:
            seen[buffer] = None
            waiting.extend(buffer.pointers.values())
    return iter(seen)


def require_window(memories: Sequence[Memory]) -> None:
    """Checks that calls find room.

    Raises:
        EmulationError: the board has memory where code and buffers of calls would lie.
    """
    spans = ((RETURN_ADDRESS, 2 * PAGE_BYTES), (WINDOW_BASE, WINDOW_BYTES))
    for base, size_bytes in spans:
        for memory in memories:
            if memory.base < base + size_bytes and base < memory.end:
                raise EmulationError(
                    f"functions cannot be called on a board with memory at {base:#010x}, "
                    f"where {memory.name} is"
                )


def filled(item: PlacedBuffer, addresses: Mapping[Buffer, int]) -> bytes:
    """A buffer's content with the addresses of the buffers that it points to."""
    content = bytearray(item.buffer.data)
    for offset, target in item.buffer.pointers.items():
        struct.pack_into("<I", content, offset, _address(target, addresses))
    return bytes(content)


def _address(target: Buffer | Pointer, addresses: Mapping[Buffer, int]) -> int:
    if isinstance(target, Pointer):
        return addresses[target.buffer] + target.offset
    return addresses[target]


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


@dataclass(frozen=True, slots=True)
class CallFrame:
    """All that a callee finds: its buffers placed, 13 core registers, 32 of floats, the stack."""

    placed: tuple[PlacedBuffer, ...]
    addresses: Mapping[Buffer, int]
    core: tuple[int, ...]
    floats: tuple[int, ...]
    stack_pointer: int
    stack: bytes


def call_frame(arguments: Sequence[Argument], stack: range, is_hard_float: bool) -> CallFrame:
    """The frame of a call with its stack at the end of ``stack``; markers fill the registers.

    Raises:
        EmulationError: an argument does not fit its type.
    """
    placed = place_buffers(arguments, WINDOW_BASE)
    addresses = {item.buffer: item.address for item in placed}
    values = marshal(arguments, addresses, is_hard_float)
    core, floats = _registers(values.core, 13), _registers(values.floats, 32)
    stack_pointer = (stack.stop - len(values.stack)) & ~7
    return CallFrame(placed, addresses, core, floats, stack_pointer, values.stack)


def _registers(values: Sequence[int], count: int) -> tuple[int, ...]:
    return (*values, *(register_marker(number) for number in range(len(values), count)))


def _words(argument: Argument, addresses: Mapping[Buffer, int]) -> tuple[list[int], bool]:
    """The 32-bit words of an argument, and whether they need an even register."""
    if isinstance(argument, Buffer | Pointer):
        return [_address(argument, addresses)], False
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
