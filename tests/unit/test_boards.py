"""Board files: those that ship, and what is wrong with others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from predictor import toml
from predictor.boards import board as boards
from predictor.boards.board import find_board, parse_board, shipped_boards
from predictor.cli.main import run
from predictor.errors import BoardError

FOLDER = Path(boards.__file__).parent


def table() -> dict[str, Any]:
    return toml.loads((FOLDER / "f746zg.toml").read_text())


def test_shipped_boards_have_the_memories_of_the_paper() -> None:
    boards = map(find_board, ("f446re", "f746zg", "f767zi"))
    sizes = {board.name: (board.sram_bytes, board.flash_bytes) for board in boards}
    kb = 1024
    assert sizes == {
        "f446re": (128 * kb, 512 * kb),
        "f746zg": (320 * kb, 1024 * kb),
        "f767zi": (512 * kb, 2048 * kb),
    }


@pytest.mark.parametrize("name", ["f446re", "f746zg", "f767zi"])
def test_data_ram_of_the_papers_boards_is_one_contiguous_span(name: str) -> None:
    board = find_board(name)
    (span,) = board.spans("sram")
    assert span.size_bytes == board.sram_bytes


@pytest.mark.parametrize("board", shipped_boards(), ids=lambda board: board.name)
def test_a_shipped_board_is_found_by_each_of_its_names(board: boards.Board) -> None:
    assert board.sources
    assert all(find_board(name) is board for name in (board.name, *board.aliases))
    assert board.name == board.name.lower()


def test_no_two_boards_share_a_name() -> None:
    names = [name for board in shipped_boards() for name in (board.name, *board.aliases)]
    assert len(names) == len(set(names))
    assert len(shipped_boards()) >= 40


def test_names_that_people_type_are_known() -> None:
    wanted = {
        "nrf52840": "cortex-m4",
        "arduino-nano-33-ble": "cortex-m4",
        "pico": "cortex-m0plus",
        "pico2": "cortex-m33",
        "nucleo-h743zi": "cortex-m7",
        "nucleo-l4r5zi": "cortex-m4",
        "uno-r4": "cortex-m4",
        "ek-ra8m1": "cortex-m85",
    }
    assert {name: find_board(name).core.name for name in wanted} == wanted


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_each_figure_of_a_shipped_board_names_its_source(path: Path) -> None:
    sources = toml.loads(path.read_text())["sources"]
    marks = [*sources, *(mark.removesuffix("s") for mark in sources)]
    text = path.read_text().split("[sources]")[0]
    for line in text.splitlines():
        key, _, value = line.partition(" = ")
        is_figure = value[:1].isdigit() and key.strip() != "base"
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
        (_without("core"), "mine.toml: core is missing"),
        (_without("name"), "mine.toml: name is missing"),
        (_without("regions"), "no region of kind 'flash'"),
        (_changed(("core", "name"), "cortex-m99"), r"mine\.toml: core: unknown core 'cortex-m99'"),
        (_changed(("core", "name"), ["cortex-m7"]), r"core\.name must be a name"),
        (_changed(("core", "fpu"), "fpv9"), r"mine\.toml: core: a cortex-m7 has no FPU 'fpv9'"),
        (_changed(("core", "dsp"), "no"), r"core\.dsp must be true or false"),
        (_changed(("core", "clock_hz"), "fast"), r"core\.clock_hz must be a whole number"),
        (_changed(("core", "clock_hz"), 0), r"core\.clock_hz must be a whole number from 1"),
        (_changed(("core", "clock_hz"), 1 << 32), r"core\.clock_hz must be a whole number from 1"),
        (_changed(("core", "clock_hz"), 1 << 9999), "not a number of 10000 bits"),
        (_changed(("core", "clokc_hz"), 1), r"core: unknown key 'clokc_hz': did you mean clock_hz"),
        (_changed(("regions", 0, "kind"), "rom"), r"regions\[0\]\.kind must be one of flash"),
        (_changed(("regions", 0, "bytes"), True), r"regions\[0\]\.bytes must be a whole number"),
        (_changed(("regions", 0, "base"), 0xFFFFFFFF), "32-bit address space"),
        (_changed(("regions", 0, "alias_base"), 0xFFFFFFFF), "alias_base lies outside the 32-bit"),
        (_changed(("regions", 0, "alias_base"), "0"), r"alias_base must be a whole number"),
        (_changed(("regions", 2, "base"), 0x20010000), "overlap"),
        (_changed(("regions", 2, "name"), "flash"), "holds flash twice"),
        (
            _changed(("regions",), [{"name": "flash", "kind": "flash", "base": 0, "bytes": 1}]),
            "no region of kind 'sram'",
        ),
        (_changed(("regions",), ["flash"]), "regions must be an array of tables"),
        (_changed(("aliases",), "f7"), "aliases must be a list of names"),
        (_changed(("aliases",), ["f7", "a b"]), "aliases must be a list of names"),
        (_changed(("markre",), {"pin": "PA1"}), "unknown key 'markre': did you mean marker"),
        (_changed(("uart",), ["name", "base"]), "uart must be a table, not a list"),
        (_changed(("uart", "base"), "0x40004400"), r"uart\.base must be a whole number"),
        (_changed(("uart", "irq"), 1000), r"uart\.irq must be a whole number from 0 to 495"),
        (_changed(("uart", "tx_pin"), "D8"), r"uart\.tx_pin must be a pin such as 'PD8'"),
        (_changed(("marker",), "x"), "marker must be a table"),
        (_changed(("marker",), {"pin": "PL1"}), r"marker\.pin must be a pin"),
        (_changed(("probe",), {"target": 5}), r"probe\.target must be a name"),
        (_changed(("power",), {"sleep_w": float("nan")}), r"power\.sleep_w must be a number"),
        (_changed(("power",), {"sleep_w": "1"}), r"power\.sleep_w must be a number"),
        (
            _changed(("power",), {"convolution": {"active_w": 0, "active_sd_w": 0}}),
            r"power\.convolution\.active_w must be a number from 1e-12",
        ),
        (
            _changed(("op_proxy", "ops_per_s"), float("inf")),
            r"op_proxy\.ops_per_s must be a number",
        ),
        (_changed(("sources", "rm0385"), 1), r"sources\.rm0385 must be a string"),
        (_changed(("calibration",), {"runtime": "x"}), "calibration must be an array of tables"),
        (_changed(("calibration", 0, "degrees_of_freedom"), 0), "must be a number from 1 to"),
        (
            _changed(("calibration", 0, "cycles_per_instruction"), float("inf")),
            r"calibration\[0\]\.cycles_per_instruction must be a number",
        ),
        (
            _changed(("calibration", 0, "measurements", 0, "latency_s"), 0),
            r"calibration\[0\]\.measurements\[0\]\.latency_s must be a number",
        ),
    ],
)
def test_malformed_boards_say_what_is_wrong(broken: dict[str, Any], message: str) -> None:
    with pytest.raises(BoardError, match=message):
        parse_board(broken, "mine.toml")


@pytest.mark.parametrize(
    "text",
    [
        'x")\nexecute_process(COMMAND touch INJECTED)\nset(Y "z',
        "${ENV}",
        "../up",
        "/absolute/x",
        "..",
        ".hidden",
        "-o",
        "a b",
        "a\0b",
        "a;b",
        "\x1b]0;title\x07",
        "\u202e",
        "x" * 65,
        "",
    ],
)
@pytest.mark.parametrize(
    "path",
    [("name",), ("regions", 0, "name"), ("uart", "name"), ("uart", "generation")],
    ids=lambda path: str(path[-1]),
)
def test_names_hold_nothing_that_could_act(path: tuple[Any, ...], text: str) -> None:
    with pytest.raises(BoardError, match=r"must be a name of letters, digits, '_', '\.' and '-'"):
        parse_board(_changed(path, text), "mine.toml")


@pytest.mark.parametrize("key", ["title", "soc"])
@pytest.mark.parametrize("text", ["\x1b[31mred", "two\nlines", "\x9b31m", "\u202e", "x" * 1001])
def test_texts_are_one_printable_line(key: str, text: str) -> None:
    with pytest.raises(BoardError, match=f"{key} must be a string of printable characters"):
        parse_board(_changed((key,), text), "mine.toml")


def test_boards_made_in_programs_have_such_names_too() -> None:
    with pytest.raises(BoardError, match="a board's name has letters"):
        replace(find_board("f446re"), name="../up")


def test_invalid_toml_is_a_board_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("name = ")
    with pytest.raises(BoardError, match="not valid TOML"):
        find_board(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BoardError, match="not valid TOML"):
        find_board(path)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--core", "m85"], ["ra8m1"]),
        (["--core", "cortex-m0plus", "--min-ram", "200KB"], ["pico"]),
        (["--vendor", "nordic", "--min-flash", "1MB", "--core", "m4"], ["nrf52840"]),
        (["--min-ram", "900MB"], []),
    ],
)
def test_boards_are_filtered(
    arguments: list[str], names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["boards", *arguments, "--format", "json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == names
    assert run(["boards", *arguments]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in names)
    assert max(map(len, text.splitlines())) <= 80


def test_a_page_per_board(capsys: pytest.CaptureFixture[str]) -> None:
    for board in shipped_boards():
        assert run(["boards", board.name]) == 0
        text = capsys.readouterr().out
        assert max(map(len, text.splitlines())) <= 100
        assert all(mark in text for mark, _ in board.sources)
    assert run(["boards", "pico", "--core", "m4"]) == 2
    assert "not both" in capsys.readouterr().err
