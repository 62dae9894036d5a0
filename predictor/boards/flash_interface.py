"""How a chip's flash answers its core: how much it reads at once, and the small caches before it.

An interface is a TOML file of ``flash_interfaces/``; boards name theirs. They hold as the vendor's
library sets them up.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from predictor import toml
from predictor.errors import BoardError
from predictor.records import dataclass

_FOLDER = Path(__file__).with_name("flash_interfaces")
MOST_LINES = 1024
_MOST_LINE_BYTES = 256


@dataclass(frozen=True, slots=True)
class FlashInterface:
    """What stands between a core and its flash.

    Attributes:
        word_bytes: read from the flash at once, and kept until the next.
        code_lines, data_lines: of the caches for instructions and for constants, which replace the
            line that was used least recently; 0 for none.
        code_line_bytes, data_line_bytes: filled a word at a time, as it is read.
        prefetches: whether the next word of code is read while one is executed.
    """

    word_bytes: int
    code_lines: int
    code_line_bytes: int
    data_lines: int
    data_line_bytes: int
    prefetches: bool


@dataclass(frozen=True, slots=True)
class FlashTiming:
    """A board's flash: where it lies, through what it is read, and how long a word takes.

    ``wait_states`` are the cycles beyond the first.
    """

    base: int
    size_bytes: int
    interface: FlashInterface
    wait_states: int


@cache
def interface_names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@cache
def find_interface(name: str) -> FlashInterface:
    """An interface by name.

    Raises:
        BoardError: there is none of that name.
    """
    if name not in interface_names():
        known = ", ".join(interface_names())
        raise BoardError(f"unknown flash interface {name!r}; known: {known}")
    return toml.read_file(_FOLDER / f"{name}.toml", _interface, BoardError)


def _interface(table: toml.Table) -> FlashInterface:
    table.read("sources", lambda sources: [sources.text(mark) for mark in sources])
    word_bytes = table.whole("word_bytes", 4, _MOST_LINE_BYTES)
    return FlashInterface(
        word_bytes,
        table.whole("code_lines", 0, MOST_LINES),
        table.whole("code_line_bytes", word_bytes, _MOST_LINE_BYTES),
        table.whole("data_lines", 0, MOST_LINES),
        table.whole("data_line_bytes", word_bytes, _MOST_LINE_BYTES),
        table.flag("prefetches"),
    )
