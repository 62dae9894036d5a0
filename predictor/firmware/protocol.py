"""Reader of the firmware's messages; ``firmware/PROTOCOL.md`` defines them.

Bytes arrive from a UART: with noise, cut lines, repeated lines. The parser yields typed messages
whose CRC is right and counts what it had to drop.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import MISSING, field, fields
from typing import Any, ClassVar, NewType, TypeAlias, get_args, get_type_hints
from urllib.parse import unquote_to_bytes

from predictor.errors import EmulationError
from predictor.records import dataclass

PROTOCOL_VERSION = 1
# A message is shorter by far; longer input without a line end is noise.
MAX_LINE_BYTES = 4096

# A number that travels as eight hexadecimal digits.
Hex = NewType("Hex", int)


@dataclass(frozen=True, slots=True)
class Hello:
    type: ClassVar[str] = "hello"
    program: str
    firmware: str
    board: str
    core: str
    clock_hz: int
    clock_source: str
    free_ram_bytes: int
    tflm: str = ""
    kernels: str = ""


@dataclass(frozen=True, slots=True)
class ModelFound:
    type: ClassVar[str] = "model"
    size_bytes: int = field(metadata={"key": "bytes"})
    crc: Hex
    subgraphs: int
    operators: int


@dataclass(frozen=True, slots=True)
class ArenaUse:
    type: ClassVar[str] = "arena"
    arena_bytes: int
    used_bytes: int
    head_bytes: int
    tail_bytes: int


@dataclass(frozen=True, slots=True)
class OperatorCount:
    type: ClassVar[str] = "operator"
    run: int
    subgraph: int
    index: int
    code: int
    name: str
    calls: int
    cyccnt: int


@dataclass(frozen=True, slots=True)
class InvokeCount:
    type: ClassVar[str] = "invoke"
    run: int
    cyccnt: int
    hook_cyccnt: int


@dataclass(frozen=True, slots=True)
class OutputTensor:
    type: ClassVar[str] = "output"
    run: int
    index: int
    tensor_type: int = field(metadata={"key": "type"})
    size_bytes: int = field(metadata={"key": "bytes"})
    crc: Hex


@dataclass(frozen=True, slots=True)
class Data:
    type: ClassVar[str] = "data"
    of: str
    run: int
    index: int
    offset: int
    content: bytes = field(metadata={"key": "hex"})


@dataclass(frozen=True, slots=True)
class StackUse:
    type: ClassVar[str] = "stack"
    capacity_bytes: int
    used_bytes: int


@dataclass(frozen=True, slots=True)
class Log:
    type: ClassVar[str] = "log"
    text: str


@dataclass(frozen=True, slots=True)
class End:
    type: ClassVar[str] = "end"
    status: str
    messages: int


@dataclass(frozen=True, slots=True)
class _Operator:
    """An operator of the model: the version that it asks for, and the highest that is linked."""

    code: int
    name: str
    custom: bool
    version: int
    highest_version: int


@dataclass(frozen=True, slots=True)
class NewerOperator(_Operator):
    type: ClassVar[str] = "newer_operator"


@dataclass(frozen=True, slots=True)
class UnsupportedOperator(_Operator):
    type: ClassVar[str] = "unsupported_operator"


@dataclass(frozen=True, slots=True)
class AllocationFailed:
    type: ClassVar[str] = "allocation_failed"
    requested_bytes: int
    available_bytes: int
    missing_bytes: int


@dataclass(frozen=True, slots=True)
class BlobDamaged:
    type: ClassVar[str] = "blob_damaged"
    magic: Hex
    payload_bytes: int
    room_bytes: int
    blank_tail_bytes: int
    expected_crc: Hex
    crc: Hex


@dataclass(frozen=True, slots=True)
class StackOverflow:
    type: ClassVar[str] = "stack_overflow"
    sp: Hex
    capacity_bytes: int
    cfsr: Hex
    hfsr: Hex
    mmfar: Hex
    bfar: Hex


@dataclass(frozen=True, slots=True)
class Fault:
    type: ClassVar[str] = "fault"
    sp: Hex
    r0: Hex
    r1: Hex
    r2: Hex
    r3: Hex
    r12: Hex
    lr: Hex
    pc: Hex
    xpsr: Hex
    cfsr: Hex
    hfsr: Hex
    mmfar: Hex
    bfar: Hex


@dataclass(frozen=True, slots=True)
class Failed:
    type: ClassVar[str] = "failed"
    reason: str
    value: int


Failure: TypeAlias = (
    UnsupportedOperator | AllocationFailed | BlobDamaged | StackOverflow | Fault | Failed
)
Message: TypeAlias = (
    Hello
    | ModelFound
    | ArenaUse
    | OperatorCount
    | InvokeCount
    | OutputTensor
    | Data
    | StackUse
    | Log
    | End
    | NewerOperator
    | Failure
)


def _converter(hint: Any) -> Callable[[str], Any]:
    if hint is int:
        return int
    if hint is Hex:
        return lambda text: int(text, 16)
    if hint is bool:
        return lambda text: bool(int(text))
    if hint is bytes:
        return bytes.fromhex
    return lambda text: unquote_to_bytes(text).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    key: str
    convert: Callable[[str], Any]
    required: bool


def _fields_of(message: type) -> tuple[_Field, ...]:
    hints = get_type_hints(message)
    return tuple(
        _Field(
            item.name,
            item.metadata.get("key", item.name),
            _converter(hints[item.name]),
            item.default is MISSING,
        )
        for item in fields(message)
    )


_DECODERS: dict[str, tuple[Any, tuple[_Field, ...]]] = {
    message.type: (message, _fields_of(message)) for message in get_args(Message)
}


def _decode(type: str, pairs: dict[str, str]) -> Message | None:
    """The typed message; None if the type is unknown, ValueError if a field is missing or bad."""
    if type not in _DECODERS:
        return None
    message, members = _DECODERS[type]
    values = {}
    for member in members:
        if member.key in pairs:
            values[member.name] = member.convert(pairs[member.key])
        elif member.required:
            raise ValueError(f"{type} lacks {member.key}")
    decoded: Message = message(**values)
    return decoded


_LINE = re.compile(
    rb"(?P<body>@(?P<version>\d{1,4}) (?P<sequence>\d{1,10}) (?P<type>[a-z_]{1,32})"
    rb"(?P<fields>(?: [a-z0-9_]{1,32}=[^ *@\r\n]*)*))\*(?P<crc>[0-9A-F]{8})"
)


@dataclass(slots=True)
class ProtocolParser:
    """Turns received bytes into messages.

    Counts of what did not become a message: ``dropped_lines`` (an `@` whose line is cut, altered or
    misses fields), ``repeated_lines``, ``unknown_lines`` (types of a newer firmware) and
    ``lost_messages`` (gaps in the sequence numbers). ``ended`` tells that `end` has arrived.
    """

    dropped_lines: int = 0
    repeated_lines: int = 0
    unknown_lines: int = 0
    lost_messages: int = 0
    ended: bool = False
    _pending: bytearray = field(default_factory=bytearray)
    _next_sequence: int = 0

    def feed(self, received: bytes) -> Iterator[Message]:
        """Messages that these bytes complete.

        Raises:
            EmulationError: the firmware speaks another version of the protocol.
        """
        self._pending += received
        while (end := self._pending.find(b"\n")) >= 0:
            line = bytes(self._pending[:end])
            del self._pending[: end + 1]
            yield from self._read_line(line)
        if len(self._pending) > MAX_LINE_BYTES:
            # Keep the last `@`: a message may begin after long noise.
            start = self._pending.rfind(b"@", len(self._pending) - MAX_LINE_BYTES)
            self.dropped_lines += 1
            del self._pending[: start if start >= 0 else len(self._pending)]

    def close(self) -> Iterator[Message]:
        """Messages in what is left when no more bytes will come."""
        line = bytes(self._pending)
        self._pending.clear()
        yield from self._read_line(line)

    def _read_line(self, line: bytes) -> Iterator[Message]:
        # `@` only ever starts a message: each one must belong to a whole message.
        starts = line.count(b"@")
        for match in _LINE.finditer(line):
            if zlib.crc32(match["body"]) != int(match["crc"], 16):
                continue
            starts -= 1
            yield from self._read_message(match)
        self.dropped_lines += starts

    def _read_message(self, match: re.Match[bytes]) -> Iterator[Message]:
        if int(match["version"]) != PROTOCOL_VERSION:
            raise EmulationError(
                f"the firmware speaks protocol version {int(match['version'])}, this program "
                f"version {PROTOCOL_VERSION}: build the firmware anew"
            )
        type = match["type"].decode()
        if not self._advance(int(match["sequence"]), type):
            self.repeated_lines += 1
            return
        pairs = (pair.split("=", 1) for pair in match["fields"].decode("latin-1").split(" ")[1:])
        try:
            message = _decode(type, dict(pairs))
        except ValueError:
            self.dropped_lines += 1
            return
        if message is None:
            self.unknown_lines += 1
            return
        self.ended |= isinstance(message, End)
        yield message

    def _advance(self, sequence: int, type: str) -> bool:
        """Follows the sequence numbers; False for a message that was there before."""
        restarted = type == Hello.type and sequence == 0 and self._next_sequence > 1
        if restarted:
            self._next_sequence = 0
            self.ended = False
        if sequence < self._next_sequence:
            return False
        self.lost_messages += sequence - self._next_sequence
        self._next_sequence = sequence + 1
        return True
