"""What one file may take: CPU seconds and memory, not wall time, which hangs on other processes."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

CPU_S = 2.0
MEMORY_BYTES = 300 << 20


class OverTimeError(BaseException):
    """Too much CPU; no handler of the code under test may swallow it."""


def _overtime(_: int, frame: FrameType | None) -> None:
    where = "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
    raise OverTimeError(f"more than its CPU seconds, at {where}")


@contextmanager
def limited(cpu_s: float = CPU_S) -> Iterator[None]:
    """Raises OverTimeError after so many CPU seconds, MemoryError for more memory than allowed."""
    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = signal.signal(signal.SIGPROF, _overtime)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, unlimited[1]))
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, unlimited)
        signal.signal(signal.SIGPROF, before)
