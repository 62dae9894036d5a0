"""What Renode's monitor writes on its console: prompts, echo and output, as AntShell does."""

from __future__ import annotations

WIDTH = 80
"""Columns of a terminal that is none: a pipe."""


def echo(prompt: str, command: str) -> str:
    """The prompt and the command as typed, wrapped where the terminal would, then Enter."""
    typed = f"{prompt} {command}"
    pieces = [typed[start : start + WIDTH] for start in range(0, len(typed), WIDTH)]
    wrapped = " \r".join(pieces) + (" \r" if len(typed) % WIDTH == 0 else "")
    return wrapped + "\n\r"


def shown(text: str) -> str:
    """What a command prints: every line ends in both, and so does the last."""
    return "".join(line + "\r\n" for line in text.splitlines())
