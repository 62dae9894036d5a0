"""Platform files: how entries add up, and that they are the boards."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from predictor.boards.board import find_board, parse_board, shipped_boards
from predictor.cores.core import core_names
from predictor.emulation.platform.board_platform import (
    LONGEST_STEP,
    board_platform,
    platform_text,
    platforms_folder,
    step_instructions,
)
from predictor.emulation.platform.description import parse_platform, read_platform
from predictor.emulation.platform.renode_classes import check_classes
from predictor.errors import BoardError, PlatformError
from tools.write_platforms import files

BOARDS = [board.name for board in shipped_boards()]
CPU = 'cpu: CPU.CortexM @ sysbus\n    cpuType: "cortex-m4"\n'


@pytest.fixture
def read(tmp_path):
    """Reads a platform from text."""

    def read(text):
        path = tmp_path / "platform.repl"
        path.write_text(text)
        return read_platform(path)

    return read


def _refusal(action):
    """The message with which an action is refused."""
    try:
        action()
    except PlatformError as error:
        return str(error)
    return None


def test_updates_count_after_what_they_update(tmp_path, read):
    (tmp_path / "base.repl").write_text(
        CPU + "ram: Memory.MappedMemory @ sysbus 0x20000000\n    size: 0x1000\n"
        "nvic: N @ sysbus 0xE000E000\n"
        "dev: D @ sysbus 0x40000000\n    a: 1\n    b: 2\n    0 -> nvic@5\n    1 -> nvic@6\n"
        "    init:\n        First\n"
    )
    platform = read(
        'using "base.repl"\n'
        "ram: @ sysbus 0x20001000\n    size: 0x2000\n"
        "dev:\n    b: 3\n    1 -> nvic@7\n    init add:\n        Second\n"
    )
    (ram,) = platform.memories
    assert (ram.base, ram.size_bytes) == (0x20001000, 0x2000)
    device = platform.peripherals["dev"]
    assert dict(device.attributes) == {"a": 1, "b": 3}
    assert [(wire.source, wire.input) for wire in device.interrupts] == [(0, 5), (1, 7)]
    assert [block.statements for block in device.commands] == [("First",), ("Second",)]


def test_system_bus_may_be_updated(read):
    platform = read(CPU + 'sysbus:\n    init:\n        Tag <1, 2> "N"\n')
    assert platform.peripherals["sysbus"].commands[0].statements == ('Tag <1, 2> "N"',)


def test_prefix_of_types_may_be_left_out(read):
    platform = read(
        CPU + "ram: Antmicro.Renode.Peripherals.Memory.MappedMemory @ sysbus 0\n    size: 4096\n"
    )
    assert [memory.name for memory in platform.memories] == ["ram"]


STRUCTURE_ERRORS = {
    "exists already": CPU + "cpu: T @ sysbus\n",
    "no entry before created it": CPU + "ram:\n    size: 1\n",
    "size of a is already given in line": CPU + "a: T\n    size: 1\n    size: 2\n",
    "refers to nvic, which does not exist": CPU + "a: T\n    -> nvic@1\n",
    "refers to bus, which does not exist": CPU + "a: T @ bus 1\n",
    "refers to other, which does not exist": CPU + "a: T\n    b: other\n",
    "size of ram is missing": CPU + "ram: Memory.MappedMemory @ sysbus 0\n",
    "not a whole number": CPU + 'ram: Memory.MappedMemory @ sysbus 0\n    size: "1"\n',
    "needs an address and its own size": CPU + "ram: Memory.MappedMemory @ sysbus <0, +4>\n"
    "    size: 8\n",
    "high overlaps low": CPU + "low: Memory.MappedMemory @ sysbus 0\n    size: 8\n"
    "high: Memory.MappedMemory @ sysbus 4\n    size: 8\n",
    "0 CPUs; one is needed": "a: T\n",
    "2 CPUs; one is needed": CPU + "second: CPU.CortexM @ sysbus\n",
    "does not exist": 'using "missing.repl"\n' + CPU,
    "uses itself": 'using "platform.repl"\n' + CPU,
    "is not a registration point": CPU + 'a: T @ sysbus "x"\n',
    "holds unknown keys": CPU + "a: T @ sysbus new P { adress: 1 }\n",
}


@pytest.mark.parametrize("message", STRUCTURE_ERRORS)
def test_entries_that_do_not_fit_together(message, read):
    with pytest.raises(PlatformError, match=message):
        read(STRUCTURE_ERRORS[message])


def test_unreadable_files(tmp_path):
    with pytest.raises(PlatformError, match="cannot read platform file"):
        read_platform(tmp_path / "missing.repl")
    (tmp_path / "binary.repl").write_bytes(b"\xff\xfe")
    with pytest.raises(PlatformError, match="cannot read platform file"):
        read_platform(tmp_path / "binary.repl")


def test_shipped_files_are_those_of_the_boards():
    shipped = {path.name: path.read_text() for path in platforms_folder().iterdir()}
    by_hand = {"README.md", "model.resc"}
    wanted = dict(files())
    assert shipped.keys() - by_hand == wanted.keys(), "python -m tools.write_platforms"
    for name, text in wanted.items():
        assert shipped[name] == text, f"python -m tools.write_platforms writes {name}"


@pytest.mark.parametrize("name", BOARDS)
def test_shipped_file_is_that_of_the_board(name):
    board = find_board(name)
    text = (platforms_folder() / f"{name}.repl").read_text()
    platform = board_platform(board)
    kinds = {region.name: region.kind for region in board.regions}
    ram = [memory for memory in platform.memories if kinds[memory.name] == "sram"]
    assert sum(memory.size_bytes for memory in ram) == board.sram_bytes
    assert platform.cpu.attributes["cpuType"] == board.core.model.renode_type
    mips = platform.cpu.number("PerformanceInMips")
    assert abs(mips * 1_000_000 - board.core.clock_hz) <= 500_000
    assert "ApplySVD" not in text
    assert "PythonPeripheral" not in text


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in ("cpu", "nvic", "dwt", "report", "sysbus", "machine")
)


@st.composite
def boards(draw):
    """Boards that users may describe: any memories, with or without a UART of any kind."""
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    kinds = ["flash", "sram", *("sram" for _ in names[2:])]
    base, regions = 0x08000000, []
    for name, kind in zip(names, kinds, strict=True):
        if kind == "sram":
            base = max(base, 0x20000000)
        base += draw(st.integers(0, 3)) * 0x1000
        size = draw(st.integers(1, 64)) * 0x1000
        regions.append({"name": name, "kind": kind, "base": base, "bytes": size})
        base += size
    table = {
        "name": "mine",
        "title": draw(st.sampled_from(("", "A board", '// { } */ "x"', "Ä 中"))),
        "core": {
            "name": draw(st.sampled_from(core_names())),
            "clock_hz": draw(st.integers(1, 600_000_000)),
        },
        "regions": regions,
    }
    uart = draw(st.none() | st.just({"name": "lpuart-1", "base": 0x40008000}))
    return parse_board(table if uart is None else {**table, "uart": uart}, "mine.toml")


@settings(max_examples=60, deadline=None)
@given(boards())
def test_any_board_has_a_platform(board):
    platform = board_platform(board)
    wanted = {(region.name, region.base, region.size_bytes) for region in board.regions}
    assert {(memory.name, memory.base, memory.size_bytes) for memory in platform.memories} == wanted
    assert [item.type for item in platform.peripherals.values() if item.type[:5] == "UART."] == [
        "UART.TrivialUart"
    ]
    mips = platform.cpu.number("PerformanceInMips")
    (dwt,), (nvic,) = map(platform.of_type, ("Miscellaneous.DWT", "IRQControllers.NVIC"))
    assert dwt.number("frequency") == nvic.number("systickFrequency") == mips * 1_000_000


HOSTILE = {
    "flash: Memory": "not 'flash: Memory'",
    "a\nb": "not 'a",
    "cpu": "cpu exists already",
    "none": "expected the name of an entry",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_region_with_a_name_that_means_something_else_is_refused(name):
    board = find_board("f446re")
    flash, *rest = board.regions
    hostile = replace(board, regions=(replace(flash, name=name), *rest))
    with pytest.raises((PlatformError, BoardError), match=HOSTILE[name]):
        board_platform(hostile)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("generation", "f9", "has ports for f4, f7"),
        ("name", "x.y", "refuses|expected|found"),
        ("irq", None, "uart.irq is missing"),
        ("tx_pin", None, "uart.tx_pin is missing"),
        ("base", 0x20000000, "sram1 at 0x20000000 overlaps usart2"),
    ],
)
def test_a_uart_that_no_port_serves_is_refused(key, value, message):
    board = find_board("f446re")
    with pytest.raises((PlatformError, BoardError), match=message):
        board_platform(replace(board, uart=replace(board.uart, **{key: value})))


@pytest.mark.parametrize("name", BOARDS)
def test_no_edit_of_a_file_gives_more_than_an_error(name, tmp_path):
    """40 random edits: a platform, or an error that names the file."""
    text = (platforms_folder() / f"{name}.repl").read_text()
    path = tmp_path / "edited.repl"
    seed = random.Random(name)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(40):
        path.write_text(_edited(text, seed))
        message = _refusal(lambda: check_classes(read_platform(path)))
        assert message is None or str(path) in message
        outcomes["read" if message is None else "refused"] += 1
    assert min(outcomes.values()) > 3, outcomes


def _edited(text, seed):
    """One edit: a character changed, removed or put in, or a line removed, doubled or moved."""
    position = seed.randrange(len(text))
    kind = seed.randrange(6)
    if kind == 0:
        return text[:position] + text[position + 1 :]
    if kind == 1:
        return text[:position] + seed.choice('0a:@;{}"<> /\n') + text[position:]
    if kind == 2:
        return text[:position] + seed.choice("01789AFx_") + text[position + 1 :]
    lines = text.splitlines(keepends=True)
    line = seed.randrange(len(lines))
    if kind == 3:
        del lines[line]
    elif kind == 4:
        lines.insert(line, lines[line])
    else:
        lines.insert(seed.randrange(len(lines)), lines.pop(line))
    return "".join(lines)


@given(st.integers(1, 1_200_000_000))
@example(40_500_001)
def test_renodes_time_advances_in_short_steps(clock_hz: int) -> None:
    board = find_board("f446re")
    board = replace(board, core=replace(board.core, clock_hz=clock_hz))
    platform = parse_platform(platform_text(board), "board.repl")
    mips = platform.cpu.number("PerformanceInMips")
    assert platform.peripherals["dwt"].attributes["frequency"] == mips * 1_000_000
    assert step_instructions(mips) <= LONGEST_STEP
    assert abs(mips - clock_hz / 1e6) <= max(1, 0.03 * clock_hz / 1e6)


@pytest.mark.parametrize(
    ("mips", "instructions"), [(1, 1), (100, 1), (133, 133), (180, 9), (216, 27), (480, 12)]
)
def test_steps_of_renodes_time(mips: int, instructions: int) -> None:
    assert step_instructions(mips) == instructions
