"""Line structure of platform descriptions: indentation becomes braces, comments vanish.

Mirrors Renode's ``PreLexer``: behind this step the text is free of layout, and its line numbers
are still those of the file.
"""

from __future__ import annotations

import re
from typing import NoReturn

from predictor.errors import PlatformError

SPACES_PER_INDENT = 4
STRING = re.compile(r'"((?:[^"\\\n]|\\["\\])*)"')
LONG_STRING = re.compile(r"'''((?:[^\\]|\\'''|\\(?!'''))*?)'''")


def braced(text: str, source: str) -> str:
    """The text without comments and with indentation written as braces and semicolons.

    Line numbers stay as they are. Mirrors ``PreLexer.Process``.
    """
    lines = _logical_lines(_without_comments(text.replace("\r", ""), source))
    output = [line for _, line in lines]
    filled = [index for index, line in enumerate(output) if line.strip()]
    if not filled:
        return "\n".join(output)
    if _indentation(*lines[filled[0]], source):
        fail(source, lines[filled[0]][0], 1, "the first line with text is indented")
    level = depth = 0
    for index, following in zip(filled, [*filled[1:], None], strict=True):
        depth += _brace_balance(output[index])
        if depth > 0:
            continue
        if following is None:
            output[index] += "}" * level
            continue
        next_level = _indentation(*lines[following], source)
        if next_level > level:
            output[index] += "{" * (next_level - level)
        else:
            output[index] += "}" * (level - next_level) + ";"
        level = next_level
    return "\n".join(output)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Lines with the number of their first line; one holds a string of several lines whole."""
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if lines and LONG_STRING.sub("", lines[-1][1]).count("'''") % 2:
            lines[-1] = (lines[-1][0], lines[-1][1] + "\n" + line)
        else:
            lines.append((number, line))
    return lines


def _indentation(line_number: int, line: str, source: str) -> int:
    spaces = len(line) - len(line.lstrip(" "))
    if line.lstrip(" ").startswith("\t"):
        fail(source, line_number, spaces + 1, "indentation holds a tab; use spaces")
    if spaces % SPACES_PER_INDENT:
        message = f"indentation of {spaces} spaces is not a multiple of {SPACES_PER_INDENT}"
        fail(source, line_number, spaces, message)
    return spaces // SPACES_PER_INDENT


def _brace_balance(line: str) -> int:
    bare = STRING.sub("", LONG_STRING.sub("", line))
    return bare.count("{") - bare.count("}")


def _without_comments(text: str, source: str) -> str:
    """The text with comments blanked."""
    pieces: list[str] = []
    position = 0
    while position < len(text):
        if text.startswith("'''", position) or text[position] == '"':
            pattern = STRING if text[position] == '"' else LONG_STRING
            match = pattern.match(text, position)
            if match is None:
                fail_at(text, position, source, "a string without an end")
            end = match.end()
            pieces.append(match.group())
        elif text.startswith("/*", position):
            end = text.find("*/", position + 2) + 2
            if end == 1:
                fail_at(text, position, source, "a comment without an end")
            pieces.append(re.sub(r"[^\n]", " ", text[position:end]))
        elif text.startswith("//", position) and _may_start_comment(text, position):
            end = (text + "\n").find("\n", position)
        else:
            pieces.append(text[position])
            end = position + 1
        position = end
    return "".join(pieces)


def _may_start_comment(text: str, position: int) -> bool:
    """Two slashes start a comment at a line's begin or behind a space (not in ``https://``)."""
    return position == 0 or text[position - 1] in " \n"


def fail(source: str, line: int, column: int, message: str) -> NoReturn:
    """Raises a PlatformError at a line and column, both counted from 1."""
    raise PlatformError(f"{source}:{line}:{column}: {message}")


def fail_at(text: str, position: int, source: str, message: str) -> NoReturn:
    """Raises a PlatformError that names the line and column of a position in the text."""
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    fail(source, line, column, message)
