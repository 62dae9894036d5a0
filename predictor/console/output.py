"""Where results go: standard output, or a file that is written whole or not at all."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from predictor.escapes import printable_lines
from predictor.files import write_file
from predictor.start import write_out

_GAP = re.compile(r"(?<=\S) {2,}(?=\S)")
"""What stands between two columns."""
_LEAST_WIDTH = 40


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


def emit_text(text: str, output: Path | None = None) -> None:
    """Lines for a person: on a terminal, those that are wider than it are folded between words.

    Raises:
        OutputError: it cannot be written.
    """
    width = terminal_width(output)
    if width is not None:
        text = "\n".join(folded(line, width) for line in text.split("\n"))
    emit(text, output)


def terminal_width(output: Path | None) -> int | None:
    """The width of the terminal where a person reads, else None."""
    if output is not None or not sys.stdout.isatty():
        return None
    from shutil import get_terminal_size

    return max(_LEAST_WIDTH, get_terminal_size().columns)


def folded(line: str, width: int) -> str:
    """A line in lines of that width; words stay whole, and the following lines begin where its
    last column does, or a little further in than it."""
    if len(line) <= width:
        return line
    from textwrap import wrap

    gaps = [gap.end() for gap in _GAP.finditer(line) if gap.end() <= width * 2 // 3]
    indent = max(gaps, default=len(line) - len(line.lstrip()) + 2)
    return "\n".join(
        wrap(
            line,
            width,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
        )
    )


def wants_color(output: Path | None) -> bool:
    """Whether a person with a colour terminal reads the output."""
    return output is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ
