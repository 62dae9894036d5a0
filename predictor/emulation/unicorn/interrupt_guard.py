"""Ctrl-C while an emulator runs: noted at once, raised where nothing is half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class InterruptGuard:
    """Holds SIGINT back inside its ``with`` block.

    An exception raised inside a callback from C could be swallowed there; so the signal only
    sets a flag and calls ``on_interrupt``, and ``check`` raises. Outside of the main thread,
    and where SIGINT is ignored, nothing is changed.
    """

    def __init__(self, on_interrupt: Callable[[], None]) -> None:
        self._on_interrupt = on_interrupt
        self._previous: Any = None
        self._is_interrupted = False

    def __enter__(self) -> InterruptGuard:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._is_interrupted = True
        self._on_interrupt()

    def check(self) -> None:
        """Raises KeyboardInterrupt if the signal has come."""
        if self._is_interrupted:
            raise KeyboardInterrupt

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
        if kind is None:
            self.check()
