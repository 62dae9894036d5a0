"""How text that this package did not write goes into what it generates: one rule per format.

Names and titles from models, boards and measurements are anyone's. Where a file is read, names are
held to letters, digits and ``_.-`` (:mod:`predictor.toml`); here, whatever a text holds, it cannot
leave the place that it is put in.
"""

from __future__ import annotations

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")
_NOT_PLAIN_LINES = re.compile(r"[^\x20-\x7e\n\t]")
_COLOR_OR_NOT_PLAIN = re.compile(r"\x1b\[[0-9;]*m|[^\x20-\x7e\n\t]")


def c_string(text: str) -> str:
    """For between the quotes of a C string literal: printable ASCII as it is, else octal."""
    return "".join(map(_c_byte, text.encode("utf-8", "surrogateescape")))


def _c_byte(byte: int) -> str:
    if byte in b'"\\?':  # ?: so that no trigraph arises
        return f"\\{chr(byte)}"
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def cmake_string(text: str) -> str:
    """For between the quotes of a CMake argument."""
    return "".join(f"\\{letter}" if letter in '"\\$' else letter for letter in text)


def printable(text: str) -> str:
    """For one line of any format: what does not print, such as the controls that terminals obey and
    the marks that turn the direction of text, and what XML forbids, is replaced."""
    return _NOT_PLAIN.sub(_shown, text)


def printable_lines(text: str, keeps_color: bool = False) -> str:
    """As :func:`printable`, for text of several lines. ``keeps_color``: codes of colours stay."""
    pattern = _COLOR_OR_NOT_PLAIN if keeps_color else _NOT_PLAIN_LINES
    return pattern.sub(_shown, text)


def xml_text(text: str) -> str:
    """For the content of an element of XML, SVG and HTML."""
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _shown(match: re.Match[str]) -> str:
    found = match[0]
    return found if len(found) > 1 or found.isprintable() else REPLACEMENT
