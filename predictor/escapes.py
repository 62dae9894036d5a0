"""How text that this package did not write goes into what it generates: one rule per format.

Names and titles from models, boards and measurements are anyone's. Where a file is read, names are
held to letters, digits and ``_.-`` (:mod:`predictor.toml`); here, whatever a text holds, it cannot
leave the place that it is put in.
"""

from __future__ import annotations


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
