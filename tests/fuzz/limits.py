"""What one file may take: CPU seconds and memory, not wall time, which hangs on other processes.

A busy or slow machine takes more CPU seconds for the same work: the limit is so many times what a
fixed piece of work takes there and then. Between one moment and the next that differs, too, so that
three times the limit are taken for what never ends.
"""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

CPU_S = 2.0
MEMORY_BYTES = 300 << 20
REFERENCES = 120
"""So many times the reference work take three times ``CPU_S`` on the machine that the limit is
meant for."""


class OverTimeError(BaseException):
    """Too much CPU; no handler of the code under test may swallow it."""


def reference_s() -> float:
    """CPU seconds of a fixed piece of work: how fast the machine is just now."""
    start = time.process_time()
    table = {number * 7_919 % 100_003: (number, str(number)) for number in range(100_000)}
    assert len([table[number] for number in sorted(table)]) == 100_000
    return time.process_time() - start


@contextmanager
def limited(cpu_s: float = CPU_S) -> Iterator[None]:
    """Raises OverTimeError after so many CPU seconds, MemoryError for more memory than allowed.

    Once they are over, the machine's speed is asked for: where the same work takes it longer, it
    has as much longer.
    """
    start = time.process_time()

    def on_time(_: int, frame: FrameType | None) -> None:
        allowed_s = cpu_s / CPU_S * REFERENCES * reference_s()
        left_s = start + allowed_s - time.process_time()
        if left_s > 0:
            signal.setitimer(signal.ITIMER_PROF, left_s)
            return
        where = "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
        raise OverTimeError(f"more than its CPU seconds, at {where}")

    unlimited = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = signal.signal(signal.SIGPROF, on_time)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, unlimited[1]))
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, unlimited)
        signal.signal(signal.SIGPROF, before)
