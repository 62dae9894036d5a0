"""The stand-in does as a real Renode does: a test for each behaviour that was seen in one."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from predictor.emulation.platform.board_platform import platforms_folder
from tests.emulation.renode.monitor import Monitor, MonitorError
from tests.emulation.renode.robot_keywords import robot_keywords
from tests.emulation.renode.terminal import WIDTH, echo

ImageBuilder = Callable[..., Path]
HEAD = '#include "start.h"\n'
MIPS = 180


@pytest.fixture
def monitor(tmp_path: Path) -> Monitor:
    """One with an f446re."""
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
    made = Monitor()
    made.execute('mach create "board"')
    made.execute(f"machine LoadPlatformDescription @{platforms_folder() / 'f446re.repl'}")
    return made


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the process keeps its history."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    return folder


def load(monitor: Monitor, elf: Path) -> None:
    monitor.execute(f"sysbus LoadELF @{elf}")


def executed(monitor: Monitor) -> int:
    return int(monitor.execute("sysbus.cpu ExecutedInstructions"), 16)


def talk(*lines: str, options: Sequence[str] = ()) -> bytes:
    """What the process writes for these lines."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.emulation.renode.fake_renode", *options],
        input="".join(f"{line}\n" for line in lines).encode(),
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    return done.stdout


def test_echoes_are_wrapped_at_80_columns() -> None:
    command = "sysbus Nonsense " + "x" * 100
    written = talk(command)
    begin = f"(monitor) {command}"[:WIDTH]
    assert begin.encode() + b" \r" in written
    assert command.encode() not in written.split(b"There was an error")[0]
    assert echo("(monitor)", "y" * 70) == "(monitor) " + "y" * 70 + " \r\n\r"


def test_the_history_holds_all_commands_of_all_processes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("Clear", "emulation GetSeed"):
        talk(command, command, "quit")
    history = home / ".config" / "renode" / "history"
    assert history.read_text() == "Clear\nquit\nemulation GetSeed\nquit\n"
    (home / "config").write_text(f"[general]\nhistory-path = {home}/other\n")
    talk("Clear", options=["--config", f"{home}/config"])
    assert (home / "other").read_text() == "Clear\n"
    assert history.read_text().count("\n") == 4


def test_registers_are_printed_in_small_letters(
    monitor: Monitor, build_image: ImageBuilder
) -> None:
    load(monitor, build_image(HEAD + "int main(void) { for (;;) {} }\n"))
    monitor.execute("sysbus.cpu PC 0x800abcd")
    assert monitor.execute("sysbus.cpu PC") == "0x800abcc\n"


def test_the_prompt_names_the_machine() -> None:
    written = talk('mach create "board"', "emulation GetSeed", "Clear", "emulation GetSeed")
    assert re.findall(rb"\(\w+\) (?=emulation)", written) == [b"(board) ", b"(monitor) "]


def test_every_output_ends_in_newlines(monitor: Monitor) -> None:
    assert monitor.execute("sysbus UnexpectedReads; sysbus UnexpectedWrites").count("\n") == 2
    keywords = robot_keywords()
    keywords.execute_command('mach create "board"')
    keywords.execute_command(
        f"machine LoadPlatformDescription @{platforms_folder() / 'f446re.repl'}"
    )
    assert keywords.execute_command("sysbus UnexpectedReads") == "0x00000000\n\n"


@pytest.mark.parametrize(
    ("wrong", "error"), [("-> nvic@38", "E15"), ("Ready -> nvic@38", "E13"), ("clock: 1", "E25")]
)
def test_platform_files_are_held_against_the_classes(
    wrong: str, error: str, tmp_path: Path
) -> None:
    text = (platforms_folder() / "f746zg.repl").read_text()
    (tmp_path / "wrong.repl").write_text(text.replace("IRQ -> nvic@39", wrong))
    monitor = Monitor()
    monitor.execute('mach create "board"')
    with pytest.raises(MonitorError, match=error):
        monitor.execute(f"machine LoadPlatformDescription @{tmp_path / 'wrong.repl'}")


def test_a_failed_command_ends_its_line(monitor: Monitor) -> None:
    with pytest.raises(MonitorError) as caught:
        monitor.execute("emulation GetSeed; sysbus Nonsense; emulation SetSeed 7")
    assert caught.value.printed == "0x00C0FFEE\n"
    assert monitor.execute("emulation GetSeed") == "0x00C0FFEE\n"


def test_clear_takes_machine_and_variables_and_leaves_the_seed(monitor: Monitor) -> None:
    monitor.execute("$elf=@/somewhere; emulation SetSeed 7; Clear")
    assert monitor.execute("emulation GetSeed") == "0x00000007\n"
    with pytest.raises(MonitorError, match="No such"):
        monitor.execute("sysbus UnexpectedReads")
    with pytest.raises(MonitorError, match="No such variable"):
        monitor.execute("sysbus LoadELF $elf")


def test_folders_named_renode_and_a_number_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name in ("renode-12345", "renode-x", "mcu-predictor-1"):
        (tmp_path / name).mkdir()
    talk("quit")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mcu-predictor-1", "renode-x"]


def test_a_file_backend_needs_a_fresh_file(monitor: Monitor, tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    with pytest.raises(MonitorError, match="exists"):
        monitor.execute(f"sysbus.usart2 CreateFileBackend @{tmp_path / 'old'} true")
    monitor.execute(f"sysbus.usart2 CreateFileBackend @{tmp_path / 'new'} true")


def test_a_branch_to_itself_is_not_counted(monitor: Monitor, build_image: ImageBuilder) -> None:
    load(monitor, build_image(HEAD + "int main(void) { for (;;) {} }\n"))
    monitor.execute('emulation RunFor "0.02"')
    counted = executed(monitor)
    monitor.execute('emulation RunFor "0.02"')
    assert executed(monitor) == counted < 10_000


def test_a_loop_of_two_instructions_is_counted(monitor: Monitor, build_image: ImageBuilder) -> None:
    text = 'int main(void) { __asm volatile("1: nop\\n\\tb 1b"); }\n'
    load(monitor, build_image(HEAD + text))
    monitor.execute('emulation RunFor "0.02"')
    assert executed(monitor) == pytest.approx(0.02 * MIPS * 1e6, abs=64)


def test_virtual_time_advances_by_whole_steps(build_image: ImageBuilder) -> None:
    """216 million instructions a second are 27 in 125 ns, and none in fewer."""
    monitor = Monitor()
    monitor.execute('mach create "board"')
    monitor.execute(f"machine LoadPlatformDescription @{platforms_folder() / 'f746zg.repl'}")
    text = (
        HEAD + "volatile uint32_t counts[32];\n"
        "int main(void) {\n"
        "  cycle_counter_on();\n"
        "  for (int i = 0; i < 32; ++i) counts[i] = CYCLES;\n}\n"
    )
    load(monitor, build_image(text, "f746zg"))
    monitor.execute('emulation RunFor "0.02"')
    printed = monitor.execute('sysbus ReadBytes `sysbus GetSymbolAddress "counts"` 128')
    content = bytes(int(word, 16) for word in re.findall("0x[0-9A-F]{2}", printed))
    counts = struct.unpack("<32I", content)
    assert {count % 27 for count in counts} == {0}
    assert 100 < counts[-1] - counts[0] < 1000


def test_instructions_are_printed_in_hexadecimal(
    monitor: Monitor, build_image: ImageBuilder
) -> None:
    load(monitor, build_image(HEAD + 'int main(void) { uart_text("x"); }\n'))
    monitor.execute('emulation RunFor "0.02"')
    printed = monitor.execute("sysbus.cpu ExecutedInstructions")
    assert re.fullmatch(r"0x[0-9A-F]{16}\n", printed)


def test_accesses_to_nothing_read_zero_and_are_counted(
    monitor: Monitor, build_image: ImageBuilder
) -> None:
    text = (
        HEAD + "volatile int read = 1, went_on;\n"
        "int main(void) {\n"
        "  for (int i = 0; i < 3; ++i) read |= *(volatile int*)(0x20020000 + 4 * i);\n"
        "  *(volatile int*)0x20020000 = 7;\n"
        "  read += *(volatile int*)0x20020000;\n"
        "  went_on = 1;\n}\n"
    )
    load(monitor, build_image(text))
    monitor.execute('emulation RunFor "0.02"')
    assert monitor.execute("sysbus UnexpectedReads; sysbus UnexpectedWrites") == (
        "0x00000004\n0x00000001\n"
    )
    words = [
        monitor.execute(f'sysbus ReadDoubleWord `sysbus GetSymbolAddress "{name}"`')
        for name in ("read", "went_on")
    ]
    assert words == ["0x00000001\n", "0x00000001\n"]


def test_peripherals_without_a_model_are_counted_too(
    monitor: Monitor, build_image: ImageBuilder
) -> None:
    load(monitor, build_image(HEAD + "int main(void) { *(volatile int*)0x40013000 = 1; }\n"))
    monitor.execute('emulation RunFor "0.02"')
    assert monitor.execute("sysbus UnexpectedWrites") == "0x00000001\n"


def test_memory_at_address_0_is_memory(build_image: ImageBuilder) -> None:
    monitor = Monitor()
    monitor.execute('mach create "board"')
    monitor.execute(f"machine LoadPlatformDescription @{platforms_folder() / 'f746zg.repl'}")
    text = HEAD + "volatile int read;\nint main(void) { read = *(volatile int*)16; }\n"
    load(monitor, build_image(text, "f746zg"))
    monitor.execute('emulation RunFor "0.02"')
    assert monitor.execute("sysbus UnexpectedReads") == "0x00000000\n"
