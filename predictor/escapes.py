"""How text that this package did not write goes into what it generates: one rule per format.

Names and titles from models, boards and measurements are anyone's. Where a file is read, names are
held to letters, digits and ``_.-`` (:mod:`predictor.toml`); here, whatever a text holds, it cannot
leave the place that it is put in.
"""

from __future__ import annotations

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LONGEST_IDENTIFIER = 40
_C_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl
        const const_cast constexpr continue decltype default delete do double dynamic_cast else enum
        explicit export extern false float for friend goto if inline int long main mn mutable
        namespace new noexcept not not_eq nullptr operator or or_eq private protected public
        register reinterpret_cast return short signed sizeof static static_assert static_cast std
        struct switch template test tflite tflm this thread_local throw true try typedef typeid
        typename union unsigned using virtual void volatile wchar_t while xor xor_eq
        """,
    )
)
"""Keywords of C++17, and names that TFLM, CMake and the standard library have at the top."""
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


def comment(text: str) -> str:
    """For a comment of C, CMake, INI, YAML or a shell: one line, which neither ends the comment nor
    joins it to the next line."""
    shown = printable(text).replace("\\", "/").replace("*/", "* /").replace("/*", "/ *")
    return shown.replace("??", "? ?").replace("]]", "] ]")


def identifier(text: str, default: str = "model") -> str:
    """A name for C, C++, CMake and every build around them: lower case letters, digits and _."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:_LONGEST_IDENTIFIER]
    if not name:
        return default
    return f"{default}_{name}" if name[0].isdigit() or _is_taken(name) else name


def _is_taken(name: str) -> bool:
    """Whether C++17 keeps a word of lower case letters for itself, or every program has it."""
    return name in _C_WORDS


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
