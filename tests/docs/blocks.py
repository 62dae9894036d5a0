"""Code blocks of Markdown pages, and what it takes to run them.

A block is run by its language: ``sh`` by bash, ``python`` by this Python. With a title
(```` ```toml title="predictor.toml" ````) it is written to that file instead. A ``console`` block
shows what needs a board on the bench, which ``tests/measure`` replaces; it is not run. A ``text``
block right after one that runs is its output, where a line of dots stands for any lines. An HTML
comment right before a block says what is special about it, several words separated by semicolons::

    <!-- exit 3 -->           ends with this code
    <!-- slow -->             takes minutes
    <!-- needs tensorflow --> is run where this is installed; also toolchain, renode
    <!-- checkout -->         is run in the checkout, not in a folder of the page's own
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)(?P<rest>.*)$")
_TITLE = re.compile(r'title="(?P<title>[^"]+)"')
_COMMENT = re.compile(r"^ *<!-- (?P<words>.+) -->$")
RUN = ("sh", "python")


@dataclass(slots=True)
class Block:
    """A fenced block; ``line`` is that of its first line of content, from 1.

    ``follows`` tells whether nothing but blank lines stands between it and the block before.
    """

    language: str
    content: str
    line: int
    follows: bool = False
    title: str = ""
    exit_code: int = 0
    is_slow: bool = False
    in_checkout: bool = False
    needs: list[str] = field(default_factory=list)
    output: Block | None = None

    @property
    def runs(self) -> bool:
        return self.language in RUN and not self.title


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page that are run or written to files, from top to bottom."""
    found: list[Block] = []
    before: Block | None = None
    for block in _fenced(page.read_text("utf-8").splitlines()):
        if block.language == "text" and block.follows and before is not None and before.runs:
            before.output = block
        elif block.runs or block.title:
            found.append(block)
        before = block
    return found


def _fenced(lines: list[str]) -> Iterator[Block]:
    comment = ""
    index = 0
    follows = False
    while index < len(lines):
        opening = _FENCE.match(lines[index])
        if opening is None:
            found = _COMMENT.match(lines[index])
            is_blank = not lines[index].strip()
            comment = found["words"] if found else comment if is_blank else ""
            follows = follows and is_blank
            index += 1
            continue
        start = index + 1
        index = lines.index(f"{opening['indent']}```", start)
        cut = len(opening["indent"])
        content = "".join(f"{line[cut:]}\n" for line in lines[start:index])
        title = _TITLE.search(opening["rest"])
        name = title["title"] if title else ""
        block = Block(opening["language"], content, start + 1, follows, name)
        for words in filter(None, comment.split("; ")):
            _mark(block, words)
        yield block
        comment, follows = "", True
        index += 1


def _mark(block: Block, words: str) -> None:
    kind, _, rest = words.partition(" ")
    if kind == "exit":
        block.exit_code = int(rest)
    elif kind == "slow":
        block.is_slow = True
    elif kind == "checkout":
        block.in_checkout = True
    elif kind == "needs":
        block.needs.append(rest)
    else:
        raise ValueError(f"line {block.line}: unknown words before a block: {words}")


def output_matches(expected: str, printed: str) -> bool:
    """Whether the lines are the same but for blanks at their ends; ``...`` stands for any lines."""
    pattern = "".join(
        "(?:.*\n)*?" if line.strip() == "..." else re.escape(line.rstrip()) + "\n"
        for line in expected.splitlines()
    )
    text = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
    return re.fullmatch(pattern, text) is not None
