"""Board files: those that ship, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from predictor import toml
from predictor.boards import board as boards
from predictor.boards.board import find_board, parse_board, shipped_boards
from predictor.errors import BoardError

FOLDER = Path(boards.__file__).parent


def table() -> dict[str, Any]:
    return toml.loads((FOLDER / "f746zg.toml").read_text())


def test_shipped_boards_have_the_memories_of_the_paper() -> None:
    sizes = {board.name: (board.sram_bytes, board.flash_bytes) for board in shipped_boards()}
    kb = 1024
    assert sizes == {
        "f446re": (128 * kb, 512 * kb),
        "f746zg": (320 * kb, 1024 * kb),
        "f767zi": (512 * kb, 2048 * kb),
    }


@pytest.mark.parametrize("board", shipped_boards(), ids=lambda board: board.name)
def test_data_ram_is_one_contiguous_span(board: boards.Board) -> None:
    (span,) = board.spans("sram")
    assert span.size_bytes == board.sram_bytes


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_each_figure_of_a_shipped_board_names_its_source(path: Path) -> None:
    sources = toml.loads(path.read_text())["sources"]
    marks = [*sources, *(mark.removesuffix("s") for mark in sources)]
    text = path.read_text().split("[sources]")[0]
    for line in text.splitlines():
        key, _, value = line.partition(" = ")
        is_figure = value[:1].isdigit() and key.strip() not in ("base", "bytes")
        if is_figure:
            comment = line.partition("#")[2]
            said = any(mark in comment for mark in marks) or "the same rows" in comment
            assert said or "F7 design note" in comment, line


def test_names_aliases_and_files_are_found(tmp_path: Path) -> None:
    assert find_board("F746ZG").name == "f746zg"
    assert find_board("nucleo-f446re").name == "f446re"
    path = tmp_path / "mine.toml"
    path.write_text((FOLDER / "f746zg.toml").read_text().replace('"f746zg"', '"mine"', 1))
    assert find_board(path).name == "mine"
    assert find_board(find_board("f767zi")).name == "f767zi"


def test_unknown_names_get_suggestions() -> None:
    with pytest.raises(BoardError, match="did you mean f746zg"):
        find_board("f746zh")
    with pytest.raises(BoardError, match=r"no board file nothing\.toml"):
        find_board("nothing.toml")


def _without(key: str) -> dict[str, Any]:
    changed = table()
    del changed[key]
    return changed


def _changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = table()
    target: Any = changed
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_without("core"), "core is missing"),
        (_without("name"), "name is missing"),
        (_without("regions"), "regions is missing"),
        (_changed(("core", "name"), "cortex-m0"), "known cores"),
        (_changed(("core", "clock_hz"), "fast"), "core.clock_hz must be a whole number"),
        (_changed(("core", "clock_hz"), 0), "core.clock_hz must be positive"),
        (_changed(("regions", 0, "kind"), "rom"), "regions.flash.kind"),
        (_changed(("regions", 0, "bytes"), True), "regions.flash.bytes"),
        (_changed(("regions", 0, "base"), 0xFFFFFFFF), "32-bit address space"),
        (_changed(("regions", 2, "base"), 0x20010000), "overlap"),
        (
            _changed(("regions",), [{"name": "flash", "kind": "flash", "base": 0, "bytes": 1}]),
            "no region of kind 'sram'",
        ),
        (_changed(("regions",), ["flash"]), "each of regions must be a table"),
    ],
)
def test_malformed_boards_say_what_is_wrong(broken: dict[str, Any], message: str) -> None:
    with pytest.raises(BoardError, match=message):
        parse_board(broken, "mine.toml")


def test_invalid_toml_is_a_board_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("name = ")
    with pytest.raises(BoardError, match="not valid TOML"):
        find_board(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BoardError, match="not valid TOML"):
        find_board(path)
