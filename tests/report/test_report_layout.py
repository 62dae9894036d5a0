"""What is laid out keeps to its width, and says all that there is room for."""

from __future__ import annotations

import re
from unicodedata import east_asian_width

from hypothesis import given
from hypothesis import strategies as st

from predictor.report.layout import Column, Table, render, right, words

TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)
STYLES = st.sampled_from(["", "bold", "dim", "bold red"])
WIDTHS = st.integers(20, 120)


def _columns(line: str) -> int:
    """The most that a terminal may take for a line."""
    return sum(1 + (east_asian_width(letter) in "WF") for letter in line)


def test_columns_are_as_wide_as_their_cells() -> None:
    table = Table((Column("name"), *right("bytes"), Column()), indent=1)
    table.add_row("a", "1,024", "first")
    table.add_row("longer", "7", words(("second", "bold")))
    assert render([words("all"), table]) == (
        "all\n name    bytes\n a       1,024  first\n longer      7  second\n"
    )


def test_what_is_too_wide_is_folded_between_words() -> None:
    assert render([words("aaa bbb ", ("ccc ddd", "dim"))], 9) == "aaa bbb\nccc ddd\n"
    table = Table((Column(), Column()))
    table.add_row("name", "several words that take room")
    assert render([table], 20) == (
        "name  several words\n      that take room\n"
    )  # the widest column gives way
    assert render([words("x" * 25)], 10) == "xxxxxxxxxx\nxxxxxxxxxx\nxxxxx\n"


def test_words_wider_than_a_column_are_cut() -> None:
    table = Table((Column(), Column(wraps=False)))
    table.add_row("m" * 500, "kept")
    assert render([table], 20) == "mmmmmmmmmmmmm…  kept\n"


def test_colors_on_request() -> None:
    line = words(("FITS", "bold green"), " it")
    assert render([line]) == "FITS it\n"
    assert render([line], color=True) == "\x1b[1;32mFITS\x1b[0m it\n"


@given(st.lists(st.tuples(TEXTS, STYLES), max_size=5), WIDTHS)
def test_lines_keep_to_the_width(spans: list[tuple[str, str]], width: int) -> None:
    shown = render([words(*spans)], width)
    lines = shown.split("\n")[:-1]
    assert all(line.isprintable() for line in lines)
    assert all(_columns(line) <= width for line in lines)
    told = re.sub(r"\s", "", "".join(text for text, _ in spans))
    assert len(re.sub(r"\s", "", shown)) >= len(told)


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=4), WIDTHS, st.booleans())
def test_tables_keep_to_the_width(rows: list[tuple[str, ...]], width: int, color: bool) -> None:
    columns = (Column("one", "dim", wraps=False), Column("two"), Column("three", is_right=True))
    table = Table(columns, indent=1, title="all of them")
    for row in rows:
        table.add_row(*row)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", render([table], width, color)).split("\n")
    assert len(lines) >= len(rows) + 3
    assert all(_columns(line) <= width or not line.isascii() for line in lines)
