"""Board descriptions and where they come from.

A board is a TOML file; those of this folder ship with the package, others are named by path.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from predictor import toml
from predictor.cores.core import Core, extension_names, find_core
from predictor.errors import BoardError

_T = TypeVar("_T")
_FOLDER = Path(__file__).parent
REGION_KINDS = ("flash", "sram", "itcm")
ADDRESS_SPACE = 1 << 32


@dataclass(frozen=True, slots=True)
class Region:
    """A memory of the chip. ``alias_base`` is a second address of the same cells, if any."""

    name: str
    kind: str
    base: int
    size_bytes: int
    alias_base: int | None = None

    @property
    def end(self) -> int:
        return self.base + self.size_bytes


@dataclass(frozen=True, slots=True)
class ContiguousSpan:
    """Neighbouring regions of one kind, which hold one object that is larger than each."""

    regions: tuple[Region, ...]

    @property
    def name(self) -> str:
        return "+".join(region.name for region in self.regions)

    @property
    def size_bytes(self) -> int:
        return sum(region.size_bytes for region in self.regions)


@dataclass(frozen=True, slots=True)
class BoardCore:
    """A core in its surroundings. ``clock_hz`` is the clock that predictions assume."""

    model: Core
    clock_hz: int
    flash_wait_states: int
    icache_bytes: int
    dcache_bytes: int

    @property
    def name(self) -> str:
        return self.model.name


@dataclass(frozen=True)
class Board:
    """A board: its core and memories. ``tables`` holds the file's other tables as they are."""

    name: str
    title: str
    soc: str
    core: BoardCore
    regions: tuple[Region, ...]
    aliases: tuple[str, ...] = ()
    tables: Mapping[str, Any] = field(
        default_factory=lambda: MappingProxyType({}), repr=False, compare=False
    )

    @property
    def flash_bytes(self) -> int:
        return sum(region.size_bytes for region in self.regions if region.kind == "flash")

    @property
    def sram_bytes(self) -> int:
        """All data RAM, whether contiguous or not."""
        return sum(region.size_bytes for region in self.regions if region.kind == "sram")

    def spans(self, kind: str) -> tuple[ContiguousSpan, ...]:
        """Maximal runs of neighbouring regions of a kind, the largest first."""
        runs: list[list[Region]] = []
        for region in sorted(self.regions, key=lambda region: region.base):
            if region.kind != kind:
                continue
            if runs and runs[-1][-1].end == region.base:
                runs[-1].append(region)
            else:
                runs.append([region])
        spans = [ContiguousSpan(tuple(run)) for run in runs]
        return tuple(sorted(spans, key=lambda span: -span.size_bytes))


@cache
def shipped_boards() -> tuple[Board, ...]:
    """The boards that ship with the package, smallest RAM first."""
    boards = [_load_file(path) for path in sorted(_FOLDER.glob("*.toml"))]
    return tuple(sorted(boards, key=lambda board: (board.sram_bytes, board.name)))


def find_board(board: str | os.PathLike[str] | Board) -> Board:
    """A board by name, alias or path of a TOML file; a Board is returned as it is.

    Raises:
        BoardError: unknown name (with suggestions) or malformed file.
    """
    if isinstance(board, Board):
        return board
    text = os.fspath(board)
    known = {name: found for found in shipped_boards() for name in (found.name, *found.aliases)}
    match = known.get(text.lower())
    if match is not None:
        return match
    path = Path(text)
    if path.suffix == ".toml" or os.sep in text:
        if not path.is_file():
            raise BoardError(f"no board file {text}")
        return _load_file(path)
    close = difflib.get_close_matches(text.lower(), known, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    names = ", ".join(found.name for found in shipped_boards())
    raise BoardError(
        f"unknown board {text!r}: {hint}known boards: {names}; "
        "or name a TOML file that describes yours"
    )


def board_path(board: Board, given: str) -> tuple[Path, bool]:
    """The file of a board found as ``given``, and whether it was named as one that ships."""
    named = Path(given)
    return (named, False) if named.is_file() else (_FOLDER / f"{board.name}.toml", True)


def _load_file(path: Path) -> Board:
    try:
        with path.open("rb") as file:
            return parse_board(toml.load(file), str(path))
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BoardError(f"{path}: not valid TOML: {error}") from error
    except OSError as error:
        raise BoardError(f"cannot read {path}: {error.strerror}") from error


def parse_board(table: Mapping[str, Any], source: str) -> Board:
    """Builds a board from a TOML table.

    Raises:
        BoardError: a key is missing, of the wrong type or out of range; says which.
    """
    regions = tuple(_region(item, source) for item in _get(table, "regions", list, source))
    _check_regions(regions, source)
    return Board(
        name=_get(table, "name", str, source),
        title=_get(table, "title", str, source, default=table.get("name")),
        soc=_get(table, "soc", str, source, default=""),
        core=_core(_get(table, "core", dict, source), source),
        regions=regions,
        aliases=tuple(_get(table, "aliases", list, source, default=[])),
        tables=MappingProxyType(
            {key: value for key, value in table.items() if key not in ("core", "regions")}
        ),
    )


_CORE_KEYS = ("name", "fpu", "clock_hz", "flash_wait_states", "icache_bytes", "dcache_bytes")


def _core(table: Mapping[str, Any], source: str) -> BoardCore:
    """The core; extensions that its chip may lack are keys of their own, false where it does."""
    name = _get(table, "name", str, source, "core.")
    fpu = _get(table, "fpu", str, source, "core.") if "fpu" in table else None
    extensions = _named_by(source, extension_names, name)
    without = [key for key in extensions if not _get(table, key, bool, source, "core.", True)]
    unknown = sorted(set(table) - {*_CORE_KEYS, *extensions})
    if unknown:
        raise BoardError(f"{source}: core.{unknown[0]} is no key of a core")
    return BoardCore(
        model=_named_by(source, find_core, name, fpu, without),
        clock_hz=_positive(table, "clock_hz", source, "core."),
        flash_wait_states=_get(table, "flash_wait_states", int, source, "core.", 0),
        icache_bytes=_get(table, "icache_bytes", int, source, "core.", 0),
        dcache_bytes=_get(table, "dcache_bytes", int, source, "core.", 0),
    )


def _named_by(source: str, function: Callable[..., _T], *arguments: Any) -> _T:
    """Calls a function whose errors do not say which file they are about."""
    try:
        return function(*arguments)
    except BoardError as error:
        raise BoardError(f"{source}: core: {error}") from error


def _region(item: Any, source: str) -> Region:
    if not isinstance(item, dict):
        raise BoardError(f"{source}: each of regions must be a table")
    name = _get(item, "name", str, source, "regions.")
    where = f"regions.{name}."
    kind = _get(item, "kind", str, source, where)
    if kind not in REGION_KINDS:
        raise BoardError(f"{source}: {where}kind is {kind!r}, not one of {', '.join(REGION_KINDS)}")
    base = _get(item, "base", int, source, where)
    size = _positive(item, "bytes", source, where)
    if base < 0 or base + size > ADDRESS_SPACE:
        raise BoardError(f"{source}: {where}base lies outside the 32-bit address space")
    return Region(name, kind, base, size, item.get("alias_base"))


def _check_regions(regions: tuple[Region, ...], source: str) -> None:
    for kind in ("flash", "sram"):
        if not any(region.kind == kind for region in regions):
            raise BoardError(f"{source}: regions holds no region of kind {kind!r}")
    ordered = sorted(regions, key=lambda region: region.base)
    for low, high in pairwise(ordered):
        if low.end > high.base:
            raise BoardError(f"{source}: regions {low.name} and {high.name} overlap")


_MISSING = object()


def _get(
    table: Mapping[str, Any],
    key: str,
    kind: type,
    source: str,
    prefix: str = "",
    default: Any = _MISSING,
) -> Any:
    value = table.get(key, default)
    if value is _MISSING:
        raise BoardError(f"{source}: {prefix}{key} is missing")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BoardError(f"{source}: {prefix}{key} must be {_TYPE_WORDS[kind]}, not {value!r}")
    return value


_TYPE_WORDS = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    list: "a list",
}


def _positive(table: Mapping[str, Any], key: str, source: str, prefix: str) -> int:
    value: int = _get(table, key, int, source, prefix)
    if value <= 0:
        raise BoardError(f"{source}: {prefix}{key} must be positive, not {value}")
    return value
