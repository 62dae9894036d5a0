"""Text that any output format can hold."""

from __future__ import annotations


def printable(text: str) -> str:
    """Text without what XML forbids even when escaped: control characters, lone surrogates."""
    return "".join(
        character if _is_allowed(ord(character)) else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def _is_allowed(code: int) -> bool:
    if code < 0x20:
        return code in (0x09, 0x0A, 0x0D)
    return not (0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or code in (0xFFFE, 0xFFFF))
