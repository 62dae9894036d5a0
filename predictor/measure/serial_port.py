"""The serial port on which the firmware talks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from predictor.errors import BoardRunError, MissingDependencyError
from predictor.firmware.protocol import Hello, InvokeCount, ProtocolParser
from predictor.firmware.runner_report import COUNTER_STEPS, FirmwareReport
from predictor.measure.probe import INSTALL

BAUD = 115_200
START_TIMEOUT_S = 10.0
"""From reset to the first message; the firmware starts within milliseconds."""
SILENCE_TIMEOUT_S = 60.0
"""Longest silence in a run; a longer inference than this overflows the cycle counter anyway."""
_ST_LINK_VENDOR = 0x0483
_POLL_S = 0.1


class Port(Protocol):
    """A source of received bytes."""

    def read(self, size: int) -> bytes:
        """Bytes that have arrived, at most ``size``; none after a short wait without any."""


def open_port(name: str | None) -> Any:
    """The port by name, or that of the only ST-LINK.

    Raises:
        MissingDependencyError: pyserial is not installed.
        BoardRunError: there is no such port, or it is not clear which.
    """
    try:
        import serial
        from serial.tools import list_ports
    except ImportError as error:
        raise MissingDependencyError(f"pyserial is not installed: {INSTALL}") from error
    if name is None:
        found = [port.device for port in list_ports.comports() if port.vid == _ST_LINK_VENDOR]
        if len(found) != 1:
            listed = f"several ({', '.join(found)})" if found else "none"
            raise BoardRunError(f"of serial ports of an ST-LINK there is {listed}; give --port")
        name = found[0]
    try:
        return serial.Serial(name, BAUD, timeout=_POLL_S)
    except (serial.SerialException, ValueError) as error:
        raise BoardRunError(f"cannot open {name}: {error}") from error


def receive(port: Port, progress: Callable[[str], None] = lambda text: None) -> FirmwareReport:
    """What the firmware tells from its start to its end.

    Raises:
        BoardRunError: it stays silent, messages were lost, the port fails, or an inference was
            longer than the cycle counter can count.
    """
    parser, report = ProtocolParser(), FirmwareReport()
    heard = time.monotonic()
    longest_s = 0.0
    before_start = 0
    while report.hello is None or report.end is None:
        received = _read(port)
        silence_s = time.monotonic() - heard
        if not received:
            _check_silence(report, silence_s)
            continue
        heard += silence_s
        longest_s = max(longest_s, silence_s if report.hello is not None else 0.0)
        for message in parser.feed(received):
            if isinstance(message, Hello):
                report = FirmwareReport()
                before_start = parser.lost_messages + parser.dropped_lines
            if isinstance(message, InvokeCount):
                progress(f"run {message.run + 1} is done")
            report.add(message)
    lost = parser.lost_messages + parser.dropped_lines - before_start
    if lost:
        raise BoardRunError(
            f"{lost} messages were lost or garbled on the way; run it again, with a shorter cable "
            "or without a hub"
        )
    if longest_s * report.hello.clock_hz >= COUNTER_STEPS:
        raise BoardRunError(
            f"a run took {longest_s:.1f} s, longer than the cycle counter counts at "
            f"{report.hello.clock_hz / 1e6:.0f} MHz; measure a part of the model"
        )
    return report


def _read(port: Port) -> bytes:
    try:
        return port.read(4096)
    except OSError as error:  # pyserial's SerialException is one
        raise BoardRunError(f"the serial port failed: {error}") from error


def _check_silence(report: FirmwareReport, silence_s: float) -> None:
    if report.hello is None and silence_s > START_TIMEOUT_S:
        raise BoardRunError(
            f"the firmware says nothing {START_TIMEOUT_S:.0f} s after reset: is this the board's "
            "serial port, and the board powered?"
        )
    if silence_s > SILENCE_TIMEOUT_S:
        raise BoardRunError(f"the firmware fell silent for {SILENCE_TIMEOUT_S:.0f} s")
