"""Programs that this process starts, and that end with it, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

GRACE_S = 2.0
"""For programs that were interrupted to remove their files."""
_TIED = (
    "trap '' INT\n"
    '(exec < "/dev/fd/$0" || exit; read -r _; kill -9 0) > /dev/null 2>&1 &\n'
    'trap - INT; exec "$@"'
)
"""The shell becomes the program. Beside it, in the same process group, waits a process for the end
of a pipe whose other end this process holds; it then ends the group, itself included. An interrupt
of the group, which may come before that process ran at all, is nothing to it."""


class TiedProcess(subprocess.Popen[Any]):
    """A program in a session of its own, with all that it starts.

    Args:
        command: the program, which must exist, and its arguments.
        options: as of :class:`subprocess.Popen`.
    """

    _held = -1

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        self._owner = os.getpid()
        watched, self._held = os.pipe()
        try:
            super().__init__(
                ["/bin/sh", "-c", _TIED, str(watched), *command],
                pass_fds=[watched],
                start_new_session=True,
                **options,
            )
        except BaseException:
            self._release()
            raise
        finally:
            os.close(watched)

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the program; what it has left running ends, too."""
        code = super().wait(timeout)
        self._release()
        return code

    def end(self) -> None:
        """Interrupts the program, and ends it with all that it started if it does not go."""
        try:
            if self.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    super().wait(GRACE_S)
        finally:
            self.kill()
            super().wait()

    def kill(self) -> None:
        """Ends the program and all that it started, at once."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._release()

    def _release(self) -> None:
        held, self._held = self._held, -1
        if held >= 0:
            os.close(held)

    def __del__(self, *arguments: Any) -> None:
        if self._owner != os.getpid():
            self.returncode = 0  # a fork's copy; the program is the owner's
        elif self._held >= 0:
            self.kill()
            super().wait()
        super().__del__(*arguments)
