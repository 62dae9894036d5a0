"""Which functions and objects of a linked program refer to which, read from its bytes.

A function refers to what it branches to, and to addresses in the words of its literal pool or in
pairs of MOVW and MOVT; an object to the addresses among its words. What a linker that collects
garbage keeps for a function is what is reached from it.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise

from predictor.firmware.program import Program, Symbol

_WORD_BYTES, _HALFWORD_BYTES = 4, 2


class References:
    """The references of a program's functions and constants, which it names by address.

    ``pieces`` are those that it stores; none reaches beyond the start of the next.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        symbols = (it for it in program.symbols if it.size_bytes)
        self.pieces = {start_of(it): it for it in symbols if self._is_stored(it)}
        self._starts = sorted(self.pieces)
        for start, following in pairwise(self._starts):
            piece = self.pieces[start]
            size_bytes = min(piece.size_bytes, following - start)
            self.pieces[start] = piece._replace(size_bytes=size_bytes)
        self._known: dict[int, frozenset[int]] = {}

    def reached(self, starts: Iterable[int], barred: Collection[int] = ()) -> set[int]:
        """What is reached from some pieces, themselves included, but through none of the barred."""
        reached, waiting = set[int](), list(starts)
        while waiting:
            address = waiting.pop()
            if address not in reached:
                reached.add(address)
                waiting += self._of(address) - reached - frozenset(barred)
        return reached

    @property
    def entry(self) -> frozenset[int]:
        """The function in which the program begins; empty where it is not named."""
        piece = self._piece_at(self._program.entry_address)
        return frozenset() if piece is None else frozenset({piece})

    def _of(self, address: int) -> frozenset[int]:
        if address not in self._known:
            piece = self.pieces[address]
            content = self._content(piece)
            found = set(_words(content))
            if piece.is_function:
                found |= set(_branches(content, address)) | set(_moved(content))
            pieces = (self._piece_at(value) for value in found)
            self._known[address] = frozenset(it for it in pieces if it is not None) - {address}
        return self._known[address]

    def _piece_at(self, value: int) -> int | None:
        """The function that starts at an address, or the object that it lies in."""
        index = bisect_right(self._starts, value) - 1
        if index < 0:
            return None
        piece = self.pieces[self._starts[index]]
        start = self._starts[index]
        if piece.is_function:
            return start if value in (start, start | 1) else None
        return start if value < start + piece.size_bytes else None

    def _is_stored(self, piece: Symbol) -> bool:
        section = self._program.section_at(start_of(piece))
        return section is not None and bool(section.content)

    def _content(self, piece: Symbol) -> bytes:
        start = start_of(piece)
        section = self._program.section_at(start)
        if section is None:
            return b""
        place = start - section.address
        return section.content[place : place + piece.size_bytes]


def start_of(piece: Symbol) -> int:
    """Its address without the Thumb bit."""
    return piece.address & ~1 if piece.is_function else piece.address


def _words(content: bytes) -> Iterator[int]:
    whole = len(content) // _WORD_BYTES * _WORD_BYTES
    return (word for (word,) in struct.iter_unpack("<I", content[:whole]))


def _pairs(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Offset and both halfwords of all that can be an instruction of four bytes."""
    whole = len(content) // _HALFWORD_BYTES * _HALFWORD_BYTES
    halfwords = [halfword for (halfword,) in struct.iter_unpack("<H", content[:whole])]
    for index in range(len(halfwords) - 1):
        if halfwords[index] & 0xF800 == 0xF000:
            yield index * _HALFWORD_BYTES, halfwords[index], halfwords[index + 1]


def _branches(content: bytes, address: int) -> Iterator[int]:
    """Targets of BL (encoding T1) and B.W (T4), Armv7-M Architecture Reference Manual, A7.7."""
    for offset, first, second in _pairs(content):
        if second & 0xD000 not in (0xD000, 0x9000):
            continue
        sign = first >> 10 & 1
        bits = [sign, 1 ^ sign ^ (second >> 13 & 1), 1 ^ sign ^ (second >> 11 & 1)]
        high = bits[0] << 24 | bits[1] << 23 | bits[2] << 22
        distance = high | (first & 0x3FF) << 12 | (second & 0x7FF) << 1
        yield address + offset + 4 + distance - (sign << 25)


def _moved(content: bytes) -> Iterator[int]:
    """Values that MOVW (T3) and MOVT (T1) put together in a register."""
    low: dict[int, int] = {}
    for _, first, second in _pairs(content):
        kind, register = first & 0xFBF0, second >> 8 & 0xF
        value = (first & 0xF) << 12 | (first >> 10 & 1) << 11
        value |= (second >> 12 & 7) << 8 | second & 0xFF
        if kind == 0xF240:
            low[register] = value
        elif kind == 0xF2C0 and register in low:
            yield value << 16 | low[register]
