"""Changes of a file's bytes that know what they hit: vtables, offsets, lengths, scalars."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache

_VALUES = (0, 1, 2, 4, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x00100000)


@cache
def tables(content: bytes) -> tuple[tuple[int, int], ...]:
    """(table, vtable) of what looks like a table: an offset back or forth to a vtable."""
    found = []
    for position in range(4, len(content) - 4, 4):
        vtable = position - int.from_bytes(content[position : position + 4], "little", signed=True)
        if not 4 <= vtable <= len(content) - 4 or vtable % 2:
            continue
        size = int.from_bytes(content[vtable : vtable + 2], "little")
        inline = int.from_bytes(content[vtable + 2 : vtable + 4], "little")
        if 4 <= size <= 80 and size % 2 == 0 and 4 <= inline <= 120:
            found.append((position, vtable))
    return tuple(found)


def mutated(content: bytes, rng: random.Random) -> bytes:
    """One to a few changes."""
    data = bytearray(content)
    spots = tables(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 12))):
        rng.choice(_CHANGES)(data, spots, rng)
        if len(data) < 17:
            break
    return bytes(data)


Spots = Sequence[tuple[int, int]]


def _put(data: bytearray, position: int, value: int, size: int) -> None:
    if 0 <= position <= len(data) - size:
        data[position : position + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def _get(data: bytearray, position: int, size: int) -> int:
    return int.from_bytes(data[position : position + size], "little")


def _vtable(data: bytearray, spots: Spots, rng: random.Random) -> None:
    """A field of a vtable points elsewhere, is absent or takes another's place."""
    _, vtable = rng.choice(spots)
    fields = max(1, _get(data, vtable, 2) // 2)
    value = rng.choice((0, 2, 4, 6, 8, 12, 0xFFFF, _get(data, vtable, 2)))
    _put(data, vtable + 2 * rng.randrange(min(fields, 40)), value, 2)


def _field(data: bytearray, spots: Spots, rng: random.Random) -> None:
    """A field of a table: an offset or a scalar."""
    table, vtable = rng.choice(spots)
    fields = _get(data, vtable, 2) // 2
    if fields <= 2:
        return
    offset = _get(data, vtable + 2 * rng.randrange(2, min(fields, 40)), 2)
    old = _get(data, table + offset, 4)
    value = rng.choice((*_VALUES, old + 4, old - 4, old + 1, rng.randrange(len(data))))
    _put(data, table + offset, value, rng.choice((1, 4, 4, 4)))


def _target(data: bytearray, spots: Spots, rng: random.Random) -> None:
    """The length of a vector or string behind an offset, or one of its elements."""
    table, vtable = rng.choice(spots)
    fields = _get(data, vtable, 2) // 2
    if fields <= 2:
        return
    offset = _get(data, vtable + 2 * rng.randrange(2, min(fields, 40)), 2)
    vector = table + offset + _get(data, table + offset, 4)
    length = _get(data, vector, 4)
    if rng.random() < 0.4:
        value = rng.choice((0, 1, length - 1, length + 1, length * 4, len(data), 0xFFFFFFFF))
        _put(data, vector, value, 4)
    else:
        item = rng.randrange(max(1, min(length, 64)))
        _put(data, vector + 4 + 4 * item, rng.choice(_VALUES), rng.choice((1, 2, 4, 4)))


def _retable(data: bytearray, spots: Spots, rng: random.Random) -> None:
    """A table takes the vtable of another."""
    table, _ = rng.choice(spots)
    _, vtable = rng.choice(spots)
    _put(data, table, table - vtable, 4)


def _byte(data: bytearray, _: Spots, rng: random.Random) -> None:
    spot = rng.randrange(len(data))
    data[spot] = rng.randrange(256) if rng.random() < 0.5 else data[spot] ^ 1 << rng.randrange(8)


def _word(data: bytearray, _: Spots, rng: random.Random) -> None:
    _put(data, rng.randrange(len(data)) & ~3, rng.choice(_VALUES), 4)


def _moved(data: bytearray, _: Spots, rng: random.Random) -> None:
    length = rng.randrange(1, 128)
    source, spot = rng.randrange(len(data)), rng.randrange(len(data))
    data[spot : spot + length] = data[source : source + length]


def _cut(data: bytearray, _: Spots, rng: random.Random) -> None:
    del data[rng.randrange(16, max(17, len(data))) :]


_CHANGES: Sequence[Callable[[bytearray, Spots, random.Random], None]] = (
    *[_vtable] * 3,
    *[_field] * 4,
    *[_target] * 5,
    _retable,
    _byte,
    _word,
    _moved,
    _cut,
)
