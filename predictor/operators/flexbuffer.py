"""Custom options as TFLM reads them. Mirrors flatbuffer_utils.cc (``FlexbufferWrapper``) and the
parts of flatbuffers' flexbuffers.h that custom operators use.

Custom options are a flexbuffer map. Some kernels look fields up by name, others read the n-th
value of the map, sorted by name, without a look at its type.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NoReturn

from predictor.operators.context import NodeContext
from predictor.operators.sizes import to_int32

_NULL, _INT, _UINT, _FLOAT = 0, 1, 2, 3
_INDIRECT_INT, _INDIRECT_UINT, _INDIRECT_FLOAT = 6, 7, 8
_MAP, _VECTOR, _BOOL = 9, 10, 26
_INDIRECT = {_INDIRECT_INT: _INT, _INDIRECT_UINT: _UINT, _INDIRECT_FLOAT: _FLOAT}
_FLOAT_CODES = {1: "<b", 2: "<h", 4: "<f", 8: "<d"}
_LONGEST_KEY = 256


class Flexbuffer:
    """The map or vector at the root of a flexbuffer; all reads are checked against its end.

    Args:
        data: the custom options.
        fail: called, and never to return, with the reason why they cannot be read.
    """

    def __init__(self, data: bytes, fail: Callable[[str], NoReturn]) -> None:
        self._data = data
        self._fail = fail
        if len(data) < 3:
            self._fail(f"custom options of {len(data)} bytes are no flexbuffer")
        root_width, packed_type = data[-1], data[-2]
        kind = packed_type >> 2
        if kind not in (_MAP, _VECTOR):
            self._fail("custom options are neither a map nor a vector")
        self._is_map = kind == _MAP
        self._width = 1 << (packed_type & 3)
        self._start = self._indirect(len(data) - 2 - root_width, root_width)
        self._names: dict[str, int] | None = None

    def element(self, index: int) -> int:
        """Mirrors ``ElementAsInt32``: the bits of the n-th value, whatever they stand for."""
        value = self._int(self._start + index * self._width, self._width, signed=True)
        return to_int32(value)

    def flag(self, index: int) -> bool:
        """Mirrors ``ElementAsBool``."""
        return self._int(self._start + index * self._width, self._width) != 0

    def named_int(self, name: str, default: int = 0) -> int:
        """Mirrors ``map[name].AsInt32()``; ``default`` where the name is absent or null."""
        number = self._number(name)
        if number is None:
            return default
        if number != number or abs(number) >= 2**63:
            self._fail(f"custom option {name} is {number}")
        return to_int32(int(number))

    def named_float(self, name: str) -> float:
        """Mirrors ``map[name].AsFloat()``; 0 where the name is absent."""
        return float(self._number(name) or 0)

    def _number(self, name: str) -> int | float | None:
        index = self._index_of(name)
        if index is None:
            return None
        position = self._start + index * self._width
        packed_type = self._byte(self._start + self._size() * self._width + index)
        kind, width = packed_type >> 2, self._width
        if kind in _INDIRECT:
            position, kind, width = (
                self._indirect(position, width),
                _INDIRECT[kind],
                1 << (packed_type & 3),
            )
        if kind == _NULL:
            return None
        if kind == _FLOAT:
            return self._float(position, width)
        if kind not in (_INT, _UINT, _BOOL):
            self._fail(f"custom option {name} is not a number")
        return self._int(position, width, signed=kind == _INT)

    def _index_of(self, name: str) -> int | None:
        if self._names is None:
            self._names = self._read_names()
        return self._names.get(name)

    def _read_names(self) -> dict[str, int]:
        if not self._is_map:
            return {}
        reference = self._start - 3 * self._width
        keys = self._indirect(reference, self._width)
        key_width = self._int(reference + self._width, self._width)
        names = {}
        for index in range(self._size()):
            start = self._indirect(keys + index * key_width, key_width)
            end = self._data.find(b"\0", start, start + _LONGEST_KEY)
            if end < 0:
                self._fail("the name of a custom option does not end")
            names[self._data[start:end].decode("utf-8", errors="replace")] = index
        return names

    def _size(self) -> int:
        size = self._int(self._start - self._width, self._width)
        if size > len(self._data):
            self._fail(f"custom options claim {size} fields")
        return size

    def _byte(self, position: int) -> int:
        return self._int(position, 1)

    def _indirect(self, position: int, width: int) -> int:
        return position - self._int(position, width)

    def _int(self, position: int, width: int, signed: bool = False) -> int:
        return int.from_bytes(self._bytes(position, width), "little", signed=signed)

    def _float(self, position: int, width: int) -> float:
        (value,) = struct.unpack(_FLOAT_CODES[width], self._bytes(position, width))
        return float(value)

    def _bytes(self, position: int, width: int) -> bytes:
        if width not in _FLOAT_CODES or position < 0 or position + width > len(self._data):
            self._fail("custom options are damaged: a value lies outside them")
        return self._data[position : position + width]


def custom_options(ctx: NodeContext) -> Flexbuffer:
    """The operator's custom options, which TFLM reads without checking that there are any."""
    if not ctx.op.custom_options:
        ctx.refuse("it has no custom options")
    return Flexbuffer(ctx.op.custom_options, ctx.refuse)
