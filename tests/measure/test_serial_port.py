"""What arrives on a serial port, through a pseudo-terminal and the library that opens real ones."""

from __future__ import annotations

import os
import pty
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.errors import BoardRunError, PredictorError
from predictor.firmware.protocol import End, Hello, Log, Message, StackUse
from predictor.firmware.runner_report import FirmwareReport
from predictor.measure import serial_port
from tests.emulation.firmware.test_protocol import any_message, line_of

pytest.importorskip("serial")

HELLO = Hello("runner", "0123456789abcdef", "f746zg", "cortex-m7", 216_000_000, "hse", 300_000)
TOLD = (HELLO, StackUse(4096, 512), Log("é says it"), Log("twice"), End("ok", 5))
_PIECE_BYTES = 500


def _received(content: bytes) -> FirmwareReport:
    """Sends bytes from the other end of a line, which is then cut."""
    board, host = pty.openpty()
    port = serial_port.open_port(os.ttyname(host))

    def send() -> None:
        for start in range(0, len(content), _PIECE_BYTES):
            os.write(board, content[start : start + _PIECE_BYTES])
        is_read.wait()
        os.close(board)

    is_read = threading.Event()
    sender = threading.Thread(target=send)
    sender.start()
    try:
        return serial_port.receive(_Cut(port, len(content), is_read))
    finally:
        is_read.set()
        sender.join()
        port.close()
        os.close(host)


class _Cut:
    """A port whose line is cut when all that was sent has been read."""

    def __init__(self, port: serial_port.Port, size: int, is_read: threading.Event) -> None:
        self._port, self._left, self._is_read = port, size, is_read

    def read(self, size: int) -> bytes:
        if self._left <= 0:
            self._is_read.set()
            raise OSError("the line was cut")
        received = self._port.read(size)
        self._left -= len(received)
        return received


def _lines(messages: Sequence[Message]) -> list[bytes]:
    return [line_of(message, sequence) for sequence, message in enumerate(messages)]


def test_a_whole_run_arrives() -> None:
    report = _received(b"".join(_lines(TOLD)))
    assert (report.hello, report.stack, report.end) == (HELLO, TOLD[1], TOLD[-1])
    assert report.logs == ["é says it", "twice"]


@settings(deadline=None, max_examples=40)
@given(st.lists(any_message, max_size=12), st.binary(max_size=200))
def test_any_messages_are_a_report_or_an_error(messages: list[Message], before: bytes) -> None:
    noise = before.replace(b"\n", b".") + b"\n"
    content = noise + b"".join(_lines([HELLO, *messages, TOLD[-1]]))
    try:
        report = _received(content)
    except PredictorError as error:
        assert str(error)  # noqa: PT017 - either is right
        return
    assert report.hello == HELLO
    assert report.end is not None


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_a_garbled_line_is_told(data: st.DataObject) -> None:
    """A byte of a message becomes another: what it said is not taken for whole."""
    content = bytearray(b"".join(_lines(TOLD)))
    start = content.index(b"\n") + 1
    place = data.draw(st.integers(start, len(content) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda item: item != content[place]))
    content[place] = value
    try:
        report = _received(bytes(content))
    except BoardRunError as error:
        words = str(error)
        assert "lost or garbled" in words or "cut" in words
        return
    assert report.logs == ["é says it", "twice"]  # only a line end was touched


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=3000))
def test_noise_alone_is_no_report(noise: bytes) -> None:
    with pytest.raises(PredictorError, match="cut"):
        _received(noise)
