"""Runs a command group: its results are exit codes, its errors one line on standard error."""

from __future__ import annotations

import errno
import io
from collections.abc import Sequence

import click

from predictor.errors import EXIT_INTERRUPTED, OutputError, PredictorError
from predictor.start import say, write_out


def run_group(group: click.Group, name: str, arguments: Sequence[str] | None) -> int:
    """Runs a command line and returns its exit code.

    Args:
        arguments: those of the process where None.
    """
    try:
        result = group.main(
            args=None if arguments is None else list(arguments),
            prog_name=name,
            standalone_mode=False,
        )
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        say(shown.getvalue().rstrip())
        return error.exit_code
    except PredictorError as error:
        say(f"{name}: {error}")
        return error.exit_code
    except MemoryError:
        say(f"{name}: out of memory")
        return PredictorError.exit_code
    except OSError as error:
        say(f"{name}: {_told(error)}")
        return PredictorError.exit_code


def _told(error: OSError) -> str:
    try:
        write_out("")  # click writes help texts itself
    except OutputError as problem:
        return str(problem)
    if error.filename is None and error.errno == errno.EBADF:
        return f"cannot write to standard output: {error.strerror}"
    place = f": {error.filename}" if error.filename is not None else ""
    return f"{error.strerror or error}{place}"
