"""QEMU's debugger interface: packets of GDB's remote serial protocol over pipes.

GDB manual, appendix E. A packet is ``$text#checksum``, and is answered by ``+`` and, but for those
that let the program run, by a packet.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from math import inf
from typing import IO

from predictor.errors import EmulationError

_ANSWER_TIMEOUT_S = 60.0
_BREAK = b"\x03"
_MOST_BYTES = 1024
"""Of memory in one packet."""


class Debugger:
    """A conversation with a stopped or running program.

    Raises (all methods): EmulationError where QEMU ends, or refuses or does not answer.
    """

    def __init__(self, to_qemu: IO[bytes], from_qemu: IO[bytes]) -> None:
        self._to_qemu, self._from_qemu = to_qemu, from_qemu
        self._received = b""

    def command(self, text: str) -> str:
        """Sends a packet and returns the answer."""
        self._send(text)
        answer = self._packet(_ANSWER_TIMEOUT_S)
        if answer is None:
            raise EmulationError(f"QEMU does not answer to {text[:20]!r}")
        if answer.startswith("E"):
            raise EmulationError(f"QEMU refuses {text[:20]!r}: {answer}")
        return answer

    def resume(self) -> None:
        """Lets the program run; :meth:`stopped` says when it stops."""
        self._send("c")

    def stopped(self, timeout_s: float) -> bool:
        """Waits until the program stops; False where it still runs after so many seconds."""
        return self._packet(timeout_s) is not None

    def interrupt(self) -> None:
        """Stops the program."""
        self._write(_BREAK)
        if not self.stopped(_ANSWER_TIMEOUT_S):
            raise EmulationError("QEMU does not stop")

    def set_breakpoint(self, address: int) -> None:
        self.command(f"Z0,{address:x},2")

    def clear_breakpoint(self, address: int) -> None:
        self.command(f"z0,{address:x},2")

    def read(self, address: int, size_bytes: int) -> bytes:
        """Memory and registers of peripherals, as the core would read them."""
        parts = []
        for start in range(0, size_bytes, _MOST_BYTES):
            count = min(_MOST_BYTES, size_bytes - start)
            parts.append(bytes.fromhex(self.command(f"m{address + start:x},{count:x}")))
        return b"".join(parts)

    def write(self, address: int, data: bytes) -> None:
        """Writes memory, not registers of peripherals."""
        for start in range(0, len(data), _MOST_BYTES):
            part = data[start : start + _MOST_BYTES]
            self.command(f"M{address + start:x},{len(part):x}:{part.hex()}")

    def _send(self, text: str) -> None:
        self._write(f"${text}#{sum(text.encode()) & 0xFF:02x}".encode())

    def _write(self, data: bytes) -> None:
        try:
            self._to_qemu.write(data)
            self._to_qemu.flush()
        except (OSError, ValueError) as error:
            raise EmulationError("QEMU has ended") from error

    def _packet(self, timeout_s: float) -> str | None:
        """The next packet, acknowledged; None where there is none in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            _, start, rest = self._received.partition(b"$")
            text, end, checksum = rest.partition(b"#")
            if start and end and len(checksum) >= 2:
                self._received = checksum[2:]
                with contextlib.suppress(EmulationError):  # its last packet, perhaps
                    self._write(b"+")
                return text.decode("ascii", "replace")
            left_s = deadline - time.monotonic()
            wait_s = None if left_s == inf else max(left_s, 0.0)
            ready, _, _ = select.select([self._from_qemu], [], [], wait_s)
            if not ready:
                return None
            data = os.read(self._from_qemu.fileno(), 1 << 16)
            if not data:
                raise EmulationError("QEMU has ended")
            self._received += data
