"""Board descriptions and where they come from.

A board is a TOML file; those of this folder ship with the package, others are named by path.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from predictor import toml
from predictor.boards.calibration import MOST_CLOCK_HZ, Calibration, read_calibration
from predictor.boards.flash_interface import FlashInterface, FlashTiming, find_interface
from predictor.boards.periphery import (
    ADDRESS_SPACE,
    OpRate,
    Pin,
    Uart,
    read_marker,
    read_op_rate,
    read_probe,
    read_uart,
)
from predictor.boards.power import Powers, read_powers
from predictor.cores.core import Core, extension_names, find_core, nearest_fpu
from predictor.errors import BoardError, UsageError
from predictor.records import dataclass
from predictor.words import meant

_FOLDER = Path(__file__).parent
REGION_KINDS = ("flash", "sram", "itcm")
_MOST_WAIT_STATES = 255
_MOST_CACHE_BYTES = 1 << 24


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

    @property
    def base(self) -> int:
        return self.regions[0].base

    @property
    def end(self) -> int:
        return self.regions[-1].end


@dataclass(frozen=True, slots=True)
class BoardCore:
    """A core in its surroundings.

    ``clock_hz`` is the clock that predictions assume. ``told_fpu``: the floating-point unit that
    the board's file names, where the core comes with none of that kind; empty elsewhere.
    ``flash_interface``: what stands before the flash, None where that is not known.
    """

    model: Core
    clock_hz: int
    flash_wait_states: int
    icache_bytes: int
    dcache_bytes: int
    told_fpu: str = ""
    flash_interface: FlashInterface | None = None

    @property
    def name(self) -> str:
        return self.model.name


@dataclass(frozen=True)
class Board:
    """A board: its core, its memories, what stands beside them and what was measured on it.

    ``tflm``: the TFLM that its users usually have, by name of a revision; empty where there is no
    such. ``sources`` spells out the marks in the comments of the board's file.
    """

    name: str
    title: str
    soc: str
    core: BoardCore
    regions: tuple[Region, ...]
    aliases: tuple[str, ...] = ()
    uart: Uart | None = None
    marker: Pin | None = None
    probe_target: str | None = None
    tflm: str = ""
    power: Powers = field(default=Powers(), repr=False)
    op_rate: OpRate | None = field(default=None, repr=False)
    calibrations: tuple[Calibration, ...] = field(default=(), repr=False)
    sources: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        # Files are named after it, also those of boards that no file described.
        if toml.NAME.fullmatch(self.name) is None:
            raise BoardError(f"a board's name has letters, digits and '_.-', not {self.name!r}")

    @property
    def flash_bytes(self) -> int:
        return sum(region.size_bytes for region in self.regions if region.kind == "flash")

    @property
    def flash_timing(self) -> FlashTiming | None:
        """How the flash in which programs begin answers; None where that is not known."""
        interface = self.core.flash_interface
        if interface is None:
            return None
        first = next(region for region in self.regions if region.kind == "flash")
        return FlashTiming(first.base, first.size_bytes, interface, self.core.flash_wait_states)

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

    def memory(self, name: str) -> ContiguousSpan:
        """A memory for data: a region's name, or those of neighbours as in ``dtcm+sram1``.

        Raises:
            UsageError: there is no such memory.
        """
        for span in self.spans("sram"):
            names = [region.name for region in span.regions]
            for first in range(len(names)):
                for last in range(first, len(names)):
                    if "+".join(names[first : last + 1]) == name:
                        return ContiguousSpan(span.regions[first : last + 1])
        known = ", ".join(region.name for region in self.regions if region.kind == "sram")
        raise UsageError(f"{self.name} has no memory {name!r} for data; it has {known}")


@cache
def shipped_names() -> tuple[str, ...]:
    """Names of the boards that ship with the package; nothing is read for that."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@cache
def _shipped(name: str) -> Board:
    return toml.read_file(_FOLDER / f"{name}.toml", _board, BoardError)


@cache
def shipped_boards() -> tuple[Board, ...]:
    """The boards that ship with the package, smallest RAM first."""
    boards = map(_shipped, shipped_names())
    return tuple(sorted(boards, key=lambda board: (board.sram_bytes, board.name)))


def find_board(board: str | os.PathLike[str] | Board) -> Board:
    """A board by name, alias or path of a TOML file; a Board is returned as it is.

    Raises:
        BoardError: unknown name (with suggestions) or malformed file.
    """
    if isinstance(board, Board):
        return board
    text = os.fspath(board)
    if text.lower() in shipped_names():
        return _shipped(text.lower())
    known = {name: found for found in shipped_boards() for name in (found.name, *found.aliases)}
    match = known.get(text.lower())
    if match is not None:
        return match
    path = Path(text)
    if path.suffix == ".toml" or os.sep in text:
        if not os.path.exists(path):
            raise BoardError(f"no board file {text}")
        return toml.read_file(path, _board, BoardError)
    hint = meant(text.lower(), known, 2, 0.5)
    raise BoardError(
        f"unknown board {text!r}: {hint}predict boards lists the {len(shipped_names())} that are "
        "known; or name a TOML file that describes yours"
    )


def board_path(board: Board, given: str) -> tuple[Path, bool]:
    """The file of a board found as ``given``, and whether it was named as one that ships."""
    named = Path(given)
    return (named, False) if os.path.isfile(named) else (_FOLDER / f"{board.name}.toml", True)


def parse_board(values: Mapping[str, Any], source: str) -> Board:
    """Builds a board from a TOML table.

    Raises:
        BoardError: a key is missing, unknown, of the wrong type or out of range; says which.
    """
    return toml.parse(values, source, _board, BoardError)


def board_of_text(text: str, source: str) -> Board:
    """A board from the text of a TOML file; ``source`` names it in messages.

    Raises:
        BoardError: no TOML, or a key is missing, unknown, of the wrong type or out of range.
    """
    try:
        values = toml.loads(text)
    except toml.TOMLDecodeError as error:
        raise BoardError(f"{source}: not valid TOML: {error}") from error
    return parse_board(values, source)


def _board(table: toml.Table) -> Board:
    name = table.name("name")
    regions = table.read_each("regions", _region)
    _check_regions(regions, table)
    return Board(
        name=name,
        title=table.text("title", name),
        soc=table.text("soc", ""),
        core=table.read("core", _core),
        regions=regions,
        aliases=table.names("aliases"),
        uart=table.optional("uart", table.read, read_uart),
        marker=table.optional("marker", table.read, read_marker),
        probe_target=table.optional("probe", table.read, read_probe),
        tflm=table.text("tflm", ""),
        power=table.optional("power", table.read, read_powers) or Powers(),
        op_rate=table.optional("op_proxy", table.read, read_op_rate),
        calibrations=table.read_each("calibration", read_calibration),
        sources=table.optional("sources", table.read, _sources) or (),
    )


def _core(table: toml.Table) -> BoardCore:
    """The core; extensions that its chip may lack are keys of their own, false where it does."""
    name, told = table.name("name"), table.optional("fpu", table.name)
    fpu = table.converted("name", lambda *_: nearest_fpu(name, told))
    extensions = table.converted("name", lambda *_: extension_names(name))
    without = [key for key in extensions if not table.flag(key, True)]
    interface = table.optional("flash_interface", table.name)
    return BoardCore(
        model=table.converted("name", lambda *_: find_core(name, fpu, without)),
        clock_hz=table.whole("clock_hz", 1, MOST_CLOCK_HZ),
        flash_wait_states=table.whole("flash_wait_states", 0, _MOST_WAIT_STATES, 0),
        icache_bytes=table.whole("icache_bytes", 0, _MOST_CACHE_BYTES, 0),
        dcache_bytes=table.whole("dcache_bytes", 0, _MOST_CACHE_BYTES, 0),
        told_fpu="" if told is None or fpu == told else told,
        flash_interface=None
        if interface is None
        else table.converted("flash_interface", lambda *_: find_interface(interface)),
    )


def _region(table: toml.Table) -> Region:
    region = Region(
        name=table.name("name"),
        kind=table.choice("kind", REGION_KINDS),
        base=table.whole("base", 0, ADDRESS_SPACE - 1),
        size_bytes=table.whole("bytes", 1, ADDRESS_SPACE),
        alias_base=table.optional("alias_base", table.whole, 0, ADDRESS_SPACE - 1),
    )
    for key, base in (("base", region.base), ("alias_base", region.alias_base)):
        if base is not None and base + region.size_bytes > ADDRESS_SPACE:
            table.refuse(key, "lies outside the 32-bit address space")
    return region


def _check_regions(regions: tuple[Region, ...], table: toml.Table) -> None:
    for kind in ("flash", "sram"):
        if not any(region.kind == kind for region in regions):
            table.refuse("regions", f"holds no region of kind {kind!r}")
    names = [region.name for region in regions]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        table.refuse("regions", f"holds {repeated} twice")
    ordered = sorted(regions, key=lambda region: region.base)
    for low, high in pairwise(ordered):
        if low.end > high.base:
            table.fail(f"regions {low.name} and {high.name} overlap")


def _sources(table: toml.Table) -> tuple[tuple[str, str], ...]:
    return tuple((mark, table.text(mark)) for mark in table)
