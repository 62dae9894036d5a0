"""Test cases of single kernels, packed for the kernel runner.

Layout: ``firmware/kernel_runner/case_format.h``. A case names a kernel, lists its arguments
(numbers or addresses of buffers) and its buffers, which lie in flash or RAM, hold data or are
outputs, and may be checked against the bytes that are expected after the call.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from predictor.errors import UsageError

MAX_ARGUMENTS = 24
MAX_BUFFERS = 24
_NO_BUFFER = 0xFFFFFFFF
_IN_FLASH, _HAS_DATA, _CHECKED = 1, 2, 4
_HEADER = struct.Struct("<6IiI")
_RECORD_ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory that a kernel gets.

    Args:
        size_bytes: its size; of `data` where that is given.
        data: content before the call; without it the buffer is painted.
        expected: content after the call, to be checked.
        in_flash: leave `data` where it lies in flash, as weights do.
        alignment: of the buffer's address, a power of two up to 16 for buffers in flash.
        misalignment: bytes behind an aligned address at which the buffer starts.
    """

    size_bytes: int
    data: bytes | None = None
    expected: bytes | None = None
    in_flash: bool = False
    alignment: int = 16
    misalignment: int = 0

    def __post_init__(self) -> None:
        for name, content in (("data", self.data), ("expected", self.expected)):
            if content is not None and len(content) != self.size_bytes:
                raise UsageError(f"{name} holds {len(content)} bytes, the buffer {self.size_bytes}")
        if self.in_flash and self.data is None:
            raise UsageError("a buffer in flash needs data")
        if self.alignment < 1 or self.alignment & (self.alignment - 1):
            raise UsageError(f"alignment is {self.alignment}, not a power of two")
        if self.in_flash and self.alignment > _RECORD_ALIGNMENT:
            raise UsageError("buffers in flash are aligned to 16 bytes at most")


@dataclass(frozen=True, slots=True)
class Address:
    """An argument, or a word of a parameter block, that points into a buffer."""

    buffer: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Pointer:
    """The word at ``offset`` of ``buffer`` must hold the address ``target``."""

    buffer: int
    offset: int
    target: Address


@dataclass(frozen=True, slots=True)
class KernelCase:
    """One call of a kernel.

    Args:
        case_id: comes back with the result.
        kernel: name under which the firmware registers it.
        arguments: in the order the kernel takes them; numbers within 32 bits.
        expected_status: what the kernel must return.
        send_outputs: have the checked buffers' bytes sent back.
    """

    case_id: int
    kernel: str
    arguments: Sequence[int | Address]
    buffers: Sequence[Buffer]
    pointers: Sequence[Pointer] = field(default=())
    expected_status: int = 0
    send_outputs: bool = False


def pack_case(case: KernelCase) -> bytes:
    """One record of the cases blob.

    Raises:
        UsageError: more arguments or buffers than the firmware takes, or an index out of range.
    """
    _check_counts(case)
    tables_bytes = (
        _HEADER.size + 8 * len(case.arguments) + 24 * len(case.buffers) + 16 * len(case.pointers)
    )
    data = bytearray()
    entries = b""
    for buffer in case.buffers:
        entries += _pack_buffer(buffer, data, tables_bytes)
    body = (
        b"".join(_pack_argument(argument) for argument in case.arguments)
        + entries
        + b"".join(
            struct.pack("<4I", p.buffer, p.offset, p.target.buffer, p.target.offset)
            for p in case.pointers
        )
        + bytes(data)
    )
    record_bytes = -(-(_HEADER.size + len(body)) // _RECORD_ALIGNMENT) * _RECORD_ALIGNMENT
    header = _HEADER.pack(
        record_bytes,
        case.case_id,
        zlib.crc32(case.kernel.encode()),
        len(case.arguments),
        len(case.buffers),
        len(case.pointers),
        case.expected_status,
        int(case.send_outputs),
    )
    return (header + body).ljust(record_bytes, b"\0")


def _check_counts(case: KernelCase) -> None:
    where = f"case {case.case_id} ({case.kernel})"
    if len(case.arguments) > MAX_ARGUMENTS or len(case.buffers) > MAX_BUFFERS:
        raise UsageError(f"{where}: at most {MAX_ARGUMENTS} arguments and {MAX_BUFFERS} buffers")
    used = [argument.buffer for argument in case.arguments if isinstance(argument, Address)]
    used += [index for p in case.pointers for index in (p.buffer, p.target.buffer)]
    if any(not 0 <= index < len(case.buffers) for index in used):
        raise UsageError(f"{where}: names a buffer that it does not have")


def _pack_argument(argument: int | Address) -> bytes:
    if isinstance(argument, Address):
        return struct.pack("<2I", argument.buffer, argument.offset)
    return struct.pack("<2I", _NO_BUFFER, argument & 0xFFFFFFFF)


def _pack_buffer(buffer: Buffer, data: bytearray, tables_bytes: int) -> bytes:
    """The buffer's table entry; its content is appended to ``data`` where it belongs."""
    flags = 0
    offset = 0
    if buffer.data is not None:
        flags |= _IN_FLASH if buffer.in_flash else _HAS_DATA
        data += bytes(-(tables_bytes + len(data)) % _RECORD_ALIGNMENT + buffer.misalignment)
        offset = tables_bytes + len(data)
        data += buffer.data
    expected_crc = 0
    if buffer.expected is not None:
        flags |= _CHECKED
        expected_crc = zlib.crc32(buffer.expected)
    return struct.pack(
        "<6I", flags, buffer.size_bytes, buffer.alignment, buffer.misalignment, offset, expected_crc
    )
