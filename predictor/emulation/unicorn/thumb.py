"""What can be told of Thumb code without running it: lengths, stack use, calls, coprocessors.

Encodings: Armv7-M architecture reference manual, chapter A5 and A7.7. ``_blockcount.c`` holds the
same tables for speed.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntFlag

from predictor.records import dataclass

MAX_STACK_BYTES = 0x3FFFC
"""More is no stack frame."""


class Trait(IntFlag):
    """What a block does; CALL and JUMP speak of its last instruction."""

    CALL = 1
    JUMP = 2
    FPU = 4
    FPV5 = 8


@dataclass(frozen=True, slots=True)
class Block:
    """A run of instructions without a branch inside.

    ``stack_bytes`` is how far the block lowers the stack pointer at its deepest.
    """

    instructions: int
    stack_bytes: int
    traits: Trait


def instruction_bytes(first: int) -> int:
    """Length of an instruction by its first half-word, 2 or 4."""
    return 4 if first >> 11 >= 0x1D else 2


def instructions(code: bytes) -> Iterator[tuple[int, int, int | None]]:
    """Offset, first and second half-word (None if short) of each instruction."""
    offset = 0
    while offset < len(code):
        first = int.from_bytes(code[offset : offset + 2], "little")
        length = instruction_bytes(first)
        second = None
        if length == 4:
            second = int.from_bytes(code[offset + 2 : offset + 4], "little")
        yield offset, first, second
        offset += length


def count_instructions(code: bytes) -> int:
    """Number of instructions that start in a piece of code."""
    return sum(1 for _ in instructions(code))


def decode_block(code: bytes) -> Block:
    """Counts and classifies the instructions of a block."""
    count = depth = deepest = 0
    traits = last = Trait(0)
    for _, first, second in instructions(code):
        if second is None:
            depth += _stack_bytes_16(first)
            last = _traits_16(first)
        else:
            depth += _stack_bytes_32(first, second)
            last = _traits_32(first, second)
        deepest = max(deepest, depth)
        traits |= last & (Trait.FPU | Trait.FPV5)
        count += 1
    return Block(count, min(deepest, MAX_STACK_BYTES) // 4 * 4, traits | last)


def first_with_trait(code: bytes, wanted: Trait) -> int:
    """Offset of the first instruction with a coprocessor trait; 0 if there is none."""
    for offset, first, second in instructions(code):
        if second is not None and _traits_32(first, second) & wanted:
            return offset
    return 0


def _stack_bytes_16(first: int) -> int:
    if first & 0xFE00 == 0xB400:
        return 4 * (first & 0x1FF).bit_count()
    if first & 0xFE00 == 0xBC00:
        return -4 * (first & 0x1FF).bit_count()
    if first & 0xFF80 == 0xB080:
        return 4 * (first & 0x7F)
    if first & 0xFF80 == 0xB000:
        return -4 * (first & 0x7F)
    return 0


def _stack_bytes_32(first: int, second: int) -> int:
    to_stack_pointer = second & 0x0F00 == 0x0D00
    by_first = {
        0xE92D: 4 * second.bit_count(),
        0xE8BD: -4 * second.bit_count(),
        0xE96D: 4 * (second & 0xFF),
        0xF84D: second & 0xFF if second & 0x0F00 == 0x0D00 else 0,
        0xF85D: -(second & 0xFF) if second & 0x0F00 == 0x0B00 else 0,
    }
    if first in by_first:
        return by_first[first]
    if first & 0xFFBF == 0xED2D:
        return 4 * (second & 0xFF)
    if first & 0xFFBF == 0xECBD:
        return -4 * (second & 0xFF)
    if first & 0xFBEF == 0xF1AD and to_stack_pointer:
        return min(_expanded_immediate(first, second), MAX_STACK_BYTES)
    if first & 0xFBFF == 0xF2AD and to_stack_pointer:
        return _immediate_12(first, second)
    return 0


def _immediate_12(first: int, second: int) -> int:
    return (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF


def _expanded_immediate(first: int, second: int) -> int:
    """ThumbExpandImm, A5.3.2."""
    value = _immediate_12(first, second)
    byte = value & 0xFF
    if value >> 8 < 4:
        return (byte, byte * 0x10001, byte * 0x1000100, byte * 0x1010101)[value >> 8]
    rotation = value >> 7
    unrotated = 0x80 | value & 0x7F
    return (unrotated >> rotation | unrotated << (32 - rotation)) & 0xFFFFFFFF


def _traits_16(first: int) -> Trait:
    if first & 0xFF87 == 0x4780:  # BLX register
        return Trait.CALL
    # BX, POP with the program counter, MOV to the program counter
    if first & 0xFF87 == 0x4700 or first & 0xFF00 == 0xBD00 or first & 0xFF87 == 0x4687:
        return Trait.JUMP
    return Trait(0)


def _traits_32(first: int, second: int) -> Trait:
    if first & 0xF800 == 0xF000 and second & 0xD000 == 0xD000:  # BL
        return Trait.CALL
    if first & 0xFE50 == 0xE810 and second & 0x8000:  # LDM with the program counter
        return Trait.JUMP
    if first & 0xFF70 == 0xF850 and second & 0xF000 == 0xF000:  # LDR to the program counter
        return Trait.JUMP
    if first & 0xEC00 != 0xEC00 or second & 0x0E00 != 0x0A00:
        return Trait(0)
    # VSEL, VMAXNM, VMINNM, VRINTA and kin, VCVTA and kin; VRINTR, VRINTZ; VRINTX
    only_fpv5 = (
        first & 0xFF00 == 0xFE00
        or (first & 0xFFBF == 0xEEB6 and second & 0x0E50 == 0x0A40)
        or (first & 0xFFBF == 0xEEB7 and second & 0x0ED0 == 0x0A40)
    )
    return Trait.FPU | Trait.FPV5 if only_fpv5 else Trait.FPU
