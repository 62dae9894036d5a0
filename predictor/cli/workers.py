"""Worker processes that Ctrl-C ends at once, with what they have started."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from predictor.errors import EXIT_INTERRUPTED

GRACE_S = 2.0
"""For a worker that was interrupted to end its emulator and to remove its files."""

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def run_in_workers(
    run: Callable[[Argument], Result], arguments: Sequence[Argument]
) -> Iterator[Result]:
    """Yields results as they come; an exception, here or of ``run``, ends the workers."""
    pool = ProcessPoolExecutor(initializer=_prepare_worker)
    try:
        # An interrupt amid the start of a process could be lost; it waits until all have started.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            futures = [pool.submit(_interruptible, run, argument) for argument in arguments]
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        for done in as_completed(futures):
            yield done.result()
        pool.shutdown()
    except BaseException:
        _end(pool)
        raise


def _end(pool: ProcessPoolExecutor) -> None:
    workers = multiprocessing.active_children()
    pool.shutdown(wait=False, cancel_futures=True)
    # The terminal interrupts workers too; a signal to this process alone does not.
    for number in (signal.SIGINT, signal.SIGKILL):
        _wait(workers)
        for worker in workers:
            # The pool's own thread may have reaped it in the meantime.
            with contextlib.suppress(ProcessLookupError):
                if worker.is_alive() and worker.pid is not None:
                    os.kill(worker.pid, number)
    _wait(workers)


def _wait(workers: list[multiprocessing.process.BaseProcess]) -> None:
    deadline = time.monotonic() + GRACE_S
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))


def _prepare_worker() -> None:
    """A worker without a call has nothing to end; it goes with its pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _interruptible(run: Callable[[Argument], Result], argument: Argument) -> Result:
    """An interrupt unwinds the call and ends the worker silently."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return run(argument)
    except KeyboardInterrupt:
        os._exit(EXIT_INTERRUPTED)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
