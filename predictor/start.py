"""Starts command lines; whatever ends them, it is told in one line and with the documented code."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

from predictor.errors import EXIT_INTERRUPTED, OutputError
from predictor.escapes import printable_lines

_OTHER_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
"""``timeout`` and cancelled jobs send the one, a closed terminal the other."""

_COLLECT_EACH = 1_000_000
"""New objects between two looks for cycles: a model is many objects that all stay, and hardly any
are in a cycle."""


def predict() -> NoReturn:
    """The script ``predict``."""
    _start("predictor.cli.main")


def nas() -> NoReturn:
    """The script ``nas``."""
    _start("nas.cli.main")


def _start(module: str) -> NoReturn:
    """Imports a command line, during which there is nothing to unwind, and runs it."""
    _on_signals(_leave, _leave)
    gc.set_threshold(_COLLECT_EACH, 10, 10)
    exit_with(import_module(module).run)


def exit_with(run: Callable[[], int]) -> NoReturn:
    """Ends the process with what ``run`` returns.

    Other signals that end processes interrupt it as Ctrl-C does.
    """
    _prepare_streams()
    try:
        _on_signals(signal.default_int_handler, _interrupt)
        code = run()
    except KeyboardInterrupt:
        say("interrupted")
        code = EXIT_INTERRUPTED
    _on_signals(signal.SIG_IGN, signal.SIG_IGN)
    sys.exit(_flushed(code))


def say(message: str) -> None:
    """A message on standard error, as far as anybody listens."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        print(printable_lines(message), file=sys.stderr, flush=True)


def _on_signals(of_ctrl_c: Any, of_others: Any) -> None:
    """Sets handlers, but for signals that the caller has this process ignore, as nohup does."""
    handlers = {signal.SIGINT: of_ctrl_c, **dict.fromkeys(_OTHER_SIGNALS, of_others)}
    for number, handler in handlers.items():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    say("interrupted")
    os._exit(EXIT_INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Does what Ctrl-C would do, whose handler emulators replace while they run."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def _prepare_streams() -> None:
    """No file that is opened later takes the number of a closed stream; what a stream's encoding
    lacks is replaced."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the lowest free number
    if sys.stdout is None:  # results that go nowhere are an error
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    streams: tuple[Any, ...] = (sys.stdout, sys.stderr)
    for stream in streams:
        if stream is not None:
            stream.reconfigure(errors="replace")


def _flushed(code: int) -> int:
    """Flushes standard output, which Python would do at exit with a traceback where it fails."""
    try:
        write_out("")
    except OutputError as error:
        say(f"{os.path.basename(sys.argv[0])}: {error}")
        return error.exit_code
    return code


def write_out(text: str) -> None:
    """Writes to standard output. A reader that has gone, as in ``predict ... | head``, is no error.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # Python would complain once more when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise OutputError(f"cannot write to standard output: {error.strerror}") from error
