"""Where results go: standard output, or a file that is written whole or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from predictor.errors import OutputError


def write_atomically(path: Path, text: str) -> None:
    """Writes a file so that readers see the old content or the new, never a part.

    Raises:
        OutputError: the file cannot be written.
    """
    # Only writers need it, and it loads much: most runs print.
    import tempfile

    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
    except BaseException:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise


def emit(text: str, output: Path | None) -> None:
    """Text to a file, or to standard output.

    A reader that has gone, as in ``predict ... | head``, is no error.
    """
    if output is not None:
        write_atomically(output, text)
        return
    try:
        click.echo(text, nl=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain once more when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def wants_color(output: Path | None) -> bool:
    """Whether a person with a colour terminal reads the output."""
    return output is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
