"""Words of messages: numbers of things, names that were meant."""

from __future__ import annotations

from collections.abc import Iterable


def counted(number: int, thing: str) -> str:
    """For example "1 measurement" and "1,024 measurements"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def meant(name: str, known: Iterable[str], most: int = 1, alike: float = 0.6) -> str:
    """Asks whether one of the known names was meant; "" where none is as alike as that."""
    import difflib

    close = difflib.get_close_matches(name, [*known], most, alike)
    return f"did you mean {' or '.join(close)}? " if close else ""
