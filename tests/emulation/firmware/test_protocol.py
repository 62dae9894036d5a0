"""The reader of the firmware's messages against noise, cuts and repetitions."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import fields
from itertools import pairwise
from typing import Any, get_args, get_type_hints
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor.errors import EmulationError
from predictor.firmware.protocol import (
    MAX_LINE_BYTES,
    AllocationFailed,
    Data,
    End,
    Hello,
    Hex,
    Log,
    Message,
    ProtocolParser,
    StackUse,
)

MESSAGES = get_args(Message)


def _text(value: Any, hint: Any) -> str:
    if hint is Hex:
        return f"{value:08X}"
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, str):
        return quote_from_bytes(value.encode(), safe="!\"#$&'()+,-./:;<>?[\\]^_`{|}~")
    return str(int(value))


def line_of(message: Message, sequence: int, version: int = 1) -> bytes:
    """A message as the firmware writes it."""
    hints = get_type_hints(type(message))
    body = f"@{version} {sequence} {message.type}" + "".join(
        f" {item.metadata.get('key', item.name)}="
        + _text(getattr(message, item.name), hints[item.name])
        for item in fields(message)
    )
    return f"{body}*{zlib.crc32(body.encode()):08X}\n".encode()


def _values(hint: Any) -> st.SearchStrategy[Any]:
    if hint is Hex:
        return st.integers(0, 0xFFFFFFFF)
    if hint is bool:
        return st.booleans()
    if hint is bytes:
        return st.binary(max_size=64)
    if hint is str:
        return st.text(max_size=20)
    return st.integers(-(1 << 31), (1 << 32) - 1)


def _messages_of(kind: Any) -> st.SearchStrategy[Message]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{item.name: _values(hints[item.name]) for item in fields(kind)})


# A second hello means a reset, which is tested apart.
any_message = st.one_of([_messages_of(kind) for kind in MESSAGES if kind is not Hello])
# Bytes of a noisy line; a line end of its own would only cut it in two.
noise = st.binary(max_size=80).map(lambda data: data.replace(b"\n", b"."))


def _feed(parser: ProtocolParser, data: bytes, cuts: Sequence[int] = ()) -> list[Message]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    got: list[Message] = []
    for start, end in pairwise(edges):
        got += parser.feed(data[start:end])
    return [*got, *parser.close()]


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.type)
@given(data=st.data())
def test_each_type_round_trips(kind: Any, data: st.DataObject) -> None:
    message = data.draw(_messages_of(kind))
    parser = ProtocolParser()
    assert list(parser.feed(line_of(message, 0))) == [message]
    assert (parser.dropped_lines, parser.lost_messages) == (0, 0)


@given(st.lists(any_message, max_size=8), st.lists(noise, max_size=9), st.lists(st.integers(0)))
def test_noise_between_lines_costs_nothing(
    sent: list[Message], noises: list[bytes], cuts: list[int]
) -> None:
    """Noise before a line, cut anywhere by the reads, and even glued to the line's start."""
    stream = b""
    for sequence, message in enumerate(sent):
        stream += noises[sequence] if sequence < len(noises) else b""
        stream += line_of(message, sequence)
    parser = ProtocolParser()
    assert _feed(parser, stream, cuts) == sent
    assert parser.lost_messages == 0


@given(st.lists(any_message, min_size=1, max_size=8), st.data())
def test_repeated_lines_are_read_once(sent: list[Message], data: st.DataObject) -> None:
    repeats = [data.draw(st.integers(1, 3)) for _ in sent]
    stream = b"".join(line_of(m, i) * n for i, (m, n) in enumerate(zip(sent, repeats, strict=True)))
    parser = ProtocolParser()
    assert _feed(parser, stream) == sent
    assert parser.repeated_lines == sum(repeats) - len(sent)


@given(st.lists(any_message, min_size=1, max_size=8), st.data())
def test_a_cut_loses_only_what_it_touches(sent: list[Message], data: st.DataObject) -> None:
    lines = [line_of(message, i) for i, message in enumerate(sent)]
    stream = b"".join(lines)
    start = data.draw(st.integers(0, len(stream)))
    end = data.draw(st.integers(start, len(stream)))
    expected, position = [], 0
    for message, line in zip(sent, lines, strict=True):
        # The line end may go: the checksum is complete without it.
        begins, ends = position, position + len(line) - 1
        position += len(line)
        if max(start, begins) >= min(end, ends):
            expected.append(message)
    assert _feed(ProtocolParser(), stream[:start] + stream[end:]) == expected


@given(st.lists(any_message, min_size=1, max_size=6), st.data())
def test_an_altered_byte_loses_its_line(sent: list[Message], data: st.DataObject) -> None:
    lines = [line_of(message, i) for i, message in enumerate(sent)]
    victim = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[victim]) - 2))
    flip = data.draw(st.integers(1, 255))
    altered = bytearray(lines[victim])
    altered[place] ^= flip
    stream = b"".join([*lines[:victim], bytes(altered), *lines[victim + 1 :]])
    got = _feed(ProtocolParser(), stream)
    assert got == sent[:victim] + sent[victim + 1 :]


@given(st.binary(max_size=2000))
def test_garbage_yields_nothing_and_no_error(garbage: bytes) -> None:
    assert _feed(ProtocolParser(), garbage) == []


def test_endless_garbage_is_not_kept() -> None:
    parser = ProtocolParser()
    for _ in range(300):
        assert list(parser.feed(bytes(range(1, 10)) * 100 + b"@1 0 log text=")) == []
        assert len(parser._pending) <= MAX_LINE_BYTES
    message = Log("after the noise")
    assert list(parser.feed(line_of(message, 0))) == [message]


def test_lost_messages_are_counted() -> None:
    parser = ProtocolParser()
    stream = line_of(Log("first"), 0) + line_of(StackUse(4096, 100), 4)
    assert _feed(parser, stream) == [Log("first"), StackUse(4096, 100)]
    assert parser.lost_messages == 3


def test_a_reset_starts_anew() -> None:
    hello = Hello("runner", "id", "f446re", "cortex-m4", 180_000_000, "hse", 1000)
    stream = line_of(hello, 0) + line_of(Log("a"), 1) + line_of(hello, 0) + line_of(Log("b"), 1)
    parser = ProtocolParser()
    assert _feed(parser, stream) == [hello, Log("a"), hello, Log("b")]
    assert (parser.repeated_lines, parser.lost_messages) == (0, 0)


def test_two_messages_on_one_line() -> None:
    stream = line_of(Log("a"), 0).rstrip() + line_of(End("ok", 1), 1)
    parser = ProtocolParser()
    assert _feed(parser, stream) == [Log("a"), End("ok", 1)]
    assert parser.ended


def test_another_version_is_refused() -> None:
    with pytest.raises(EmulationError, match="version 2"):
        list(ProtocolParser().feed(line_of(Log("x"), 0, version=2)))


def test_unknown_types_and_fields_are_passed_over() -> None:
    body = b"@1 0 log text=hi colour=red"
    known = body + f"*{zlib.crc32(body):08X}\n".encode()
    body = b"@1 1 weather sun=1"
    unknown = body + f"*{zlib.crc32(body):08X}\n".encode()
    parser = ProtocolParser()
    assert _feed(parser, known + unknown) == [Log("hi")]
    assert parser.unknown_lines == 1


def test_a_missing_field_drops_the_line() -> None:
    body = b"@1 0 arena arena_bytes=10"
    parser = ProtocolParser()
    assert _feed(parser, body + f"*{zlib.crc32(body):08X}\n".encode()) == []
    assert parser.dropped_lines == 1


def test_bytes_and_escapes() -> None:
    body = b"@1 0 data of=output run=0 index=1 offset=64 hex=00FF7F"
    line = body + f"*{zlib.crc32(body):08X}\n".encode()
    assert _feed(ProtocolParser(), line) == [Data("output", 0, 1, 64, b"\x00\xff\x7f")]
    body = b"@1 0 log text=50%25%20of%20%40home%3D"
    line = body + f"*{zlib.crc32(body):08X}\n".encode()
    assert _feed(ProtocolParser(), line) == [Log("50% of @home=")]


def test_negative_numbers() -> None:
    line = line_of(AllocationFailed(5, 3, 2), 0)
    assert _feed(ProtocolParser(), line) == [AllocationFailed(5, 3, 2)]
