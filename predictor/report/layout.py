"""Lines of styled words and tables, laid out for a terminal of some width.

A prediction is shown more often than all else, and libraries that lay out text take longer to
import than it takes to be made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from typing import TypeAlias

from predictor.escapes import printable
from predictor.records import dataclass

Span: TypeAlias = "tuple[str, str]"
"""A text and its style: words of ``_CODES``, or none."""

PLAIN_WIDTH = 100
"""Columns of a line where no terminal says how many it has."""
_CUT = "…"
_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}
_NARROW = re.compile("[\x20-\u02ff\u2200-\u22ff\u2500-\u25b6]*")
"""Characters of which it is known without a table that each takes one column."""
_WORD = re.compile(r"\s*\S+")


@dataclass(frozen=True)
class Words:
    """One line, folded between words where it is wider than the terminal."""

    spans: tuple[Span, ...] = ()


Cell: TypeAlias = "str | Words"


def words(*spans: str | Span) -> Words:
    """A line of texts, each with its style or without one."""
    return Words(tuple(span if isinstance(span, tuple) else (span, "") for span in spans))


@dataclass(frozen=True)
class Column:
    """How a column of a table looks. ``wraps``: it gives way where the table is too wide."""

    heading: str = ""
    style: str = ""
    is_right: bool = False
    wraps: bool = True


def right(*headings: str) -> list[Column]:
    """Columns of figures."""
    return [Column(heading, is_right=True) for heading in headings]


@dataclass
class Table:
    """Rows in columns, with a line of headings where a column has one."""

    columns: Sequence[Column]
    gap: int = 2
    indent: int = 0
    title: str = ""
    rows: list[tuple[Cell, ...]] = field(default_factory=list)

    def add_row(self, *cells: Cell) -> None:
        self.rows.append(cells)


Block: TypeAlias = "Words | Table"


def render(blocks: Iterable[Block], width: int | None = None, color: bool = False) -> str:
    """Blocks below each other as text without what terminals obey; codes of colours on request."""
    width = width or PLAIN_WIDTH
    lines: list[str] = []
    for block in blocks:
        found = _table(block, width) if isinstance(block, Table) else _folded(block, width)
        lines += ("".join(_coded(line) if color else _plain(line)).rstrip() for line in found)
    return "".join(f"{line}\n" for line in lines)


def _plain(line: list[Span]) -> Iterator[str]:
    return (text for text, _ in line)


def _coded(line: list[Span]) -> Iterator[str]:
    for text, style in line:
        codes = ";".join(_CODES[word] for word in style.split())
        yield f"\x1b[{codes}m{text}\x1b[0m" if codes and text else text


def _folded(block: Words, width: int) -> Iterator[list[Span]]:
    spans = _printable(block)
    text = "".join(_plain(spans))
    for start, end in _lines(text, width):
        while (cut := _fitting(text, start, end, width)) < end:
            yield _between(spans, start, cut)
            start = cut
        yield _between(spans, start, end)


def _table(table: Table, width: int) -> Iterator[list[Span]]:
    columns = table.columns
    if table.title:
        yield from _folded(words((table.title, "bold")), width)
    rows = [[_printable(cell) for cell in row] for row in table.rows]
    if any(column.heading for column in columns):
        rows.insert(0, [[(column.heading, "bold")] for column in columns])
    widths = _widths(table, rows, width)
    for row in rows:
        cells = [list(_in_column(cell, width)) for cell, width in zip(row, widths, strict=True)]
        for number in range(max(map(len, cells))):
            line: list[Span] = [(" " * table.indent, "")]
            for column, size, cell in zip(columns, widths, cells, strict=True):
                spans = cell[number] if number < len(cell) else []
                space = (" " * (size - _width("".join(_plain(spans)))), "")
                shown = [(text, f"{column.style} {style}") for text, style in spans]
                line += (space, *shown) if column.is_right else (*shown, space)
                line.append((" " * table.gap, ""))
            yield line


def _in_column(spans: list[Span], width: int) -> Iterator[list[Span]]:
    """The lines of a cell; a word that is wider than the column is cut."""
    text = "".join(_plain(spans))
    for start, end in _lines(text, width):
        if _fitting(text, start, end, width) == end:
            yield _between(spans, start, end)
        else:
            cut = _fitting(text, start, end, width - len(_CUT))
            yield [*_between(spans, start, cut), (_CUT, "")]


def _widths(table: Table, rows: list[list[list[Span]]], width: int) -> list[int]:
    """Each column as wide as its widest cell; where that is too much, the widest of those that
    wrap give way first."""
    widths = [0 for _ in table.columns]
    for row in rows:
        for index, spans in enumerate(row):
            widths[index] = max(widths[index], min(width, _width("".join(_plain(spans)))))
    available = width - table.indent - table.gap * (len(widths) - 1)
    can_wrap = {index for index, column in enumerate(table.columns) if column.wraps}
    everything = set(range(len(widths)))
    for shrinking in (can_wrap, everything):
        while sum(widths) > available and any(widths[index] > 2 for index in shrinking):
            widths[max(shrinking, key=lambda index: widths[index])] -= 1
    return widths


def _printable(cell: Cell) -> list[Span]:
    spans = ((cell, ""),) if isinstance(cell, str) else cell.spans
    return [(printable(text), style) for text, style in spans]


def _between(spans: list[Span], start: int, end: int) -> list[Span]:
    """What stands in these places of the text of the spans."""
    found = []
    for text, style in spans:
        found.append((text[max(start, 0) : max(end, 0)], style))
        start, end = start - len(text), end - len(text)
    return found


def _lines(text: str, width: int) -> Iterator[tuple[int, int]]:
    """Where the lines of a text begin and end: as many words as there is room for, one at least."""
    if len(text) <= width and _width(text) <= width:
        yield 0, len(text)
        return
    start = end = 0
    for word in _WORD.finditer(text):
        if end > start and _width(text[start : word.end()]) > width:
            yield start, end
            start = word.end() - len(word[0].lstrip())
        end = word.end()
    yield start, end


def _fitting(text: str, start: int, end: int, width: int) -> int:
    """The end of what has room in so many columns, one character at least."""
    if _NARROW.fullmatch(text, start, min(end, start + width)):
        return max(min(end, start + width), min(end, start + 1))
    taken = 0
    for place in range(start, end):
        taken += _width(text[place])
        if taken > width and place > start:
            return place
    return end


def _width(text: str) -> int:
    """Columns that a terminal takes for a text."""
    if text.isascii() or _NARROW.fullmatch(text):
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(
        0 if category(letter) in ("Mn", "Me") else 1 + (east_asian_width(letter) in "WF")
        for letter in text
    )
