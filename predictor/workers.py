"""Worker processes that Ctrl-C ends at once, with what they have started."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.connection import wait
from typing import TypeVar

from predictor.errors import EXIT_INTERRUPTED
from predictor.processes import GRACE_S

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def run_in_workers(
    run: Callable[[Argument], Result],
    arguments: Sequence[Argument],
    workers: int | None = None,
) -> Iterator[Result]:
    """Yields results as they come; an exception, here or of ``run``, ends the workers.

    Args:
        workers: how many there are at most; as many as CPUs where None.
    """
    pool = ProcessPoolExecutor(workers, initializer=_prepare_worker)
    try:
        # An interrupt amid the start of a process could be lost; it waits until all have started.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        try:
            futures = [pool.submit(_interruptible, run, argument) for argument in arguments]
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
        for done in as_completed(futures):
            yield done.result()
        pool.shutdown()
    except BaseException:
        _end(pool)
        raise


_ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


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
    for number in _ENDS - {signal.SIGINT}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """A worker whose pool was killed would wait for calls for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(EXIT_INTERRUPTED)


def _interruptible(run: Callable[[Argument], Result], argument: Argument) -> Result:
    """An interrupt unwinds the call and ends the worker silently."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        return run(argument)
    except KeyboardInterrupt:
        os._exit(EXIT_INTERRUPTED)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
