"""Numbers of things in words."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """For example "1 measurement" and "1,024 measurements"."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
