"""Where results go: standard output, or a file that is written whole or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from predictor.escapes import printable_lines
from predictor.files import write_file
from predictor.start import write_out


def emit(text: str, output: Path | None) -> None:
    """Text to a file, or to standard output, without what terminals obey.

    Raises:
        OutputError: it cannot be written.
    """
    safe = printable_lines(text, keeps_color=wants_color(output))
    if output is None:
        write_out(safe)
    else:
        write_file(output, safe)


def wants_color(output: Path | None) -> bool:
    """Whether a person with a colour terminal reads the output."""
    return output is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
