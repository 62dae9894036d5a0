"""The driver of Renode: its dialogue against a stand-in, and the machine's contract on a real one.

The contract tests also run on Unicorn; they skip for Renode where it is not installed.
"""

from __future__ import annotations

import os
import signal
import stat
import struct
import sys
import threading
import time
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.emulation.machine import FaultKind, StopReason
from predictor.emulation.platform.board_platform import board_platform
from predictor.emulation.renode import console as renode_console
from predictor.emulation.renode import python_package
from predictor.emulation.renode.machine import RenodeMachine
from predictor.emulation.unicorn.machine import UnicornMachine
from predictor.errors import EmulationError, MissingDependencyError

HEAD = '#include "start.h"\n'
HELLO = HEAD + 'int main(void) { uart_text("hello\\n"); }\n'
ROOT = Path(__file__).parents[3]
SCRIPTED = "-m tests.emulation.renode.scripted_renode"


def put_on_path(program, folder, monkeypatch):
    """Makes a command the ``renode`` that the driver finds."""
    folder.mkdir()
    script = folder / "renode"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {program} "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A stand-in that does what it is told; returns the file that gets its commands."""
    put_on_path(SCRIPTED, tmp_path / "bin", monkeypatch)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


@pytest.fixture
def fake_machine(fake, build_image):
    with RenodeMachine(board_platform(find_board("f446re"))) as machine:
        machine.load_elf(build_image(HELLO))
        yield machine


def test_commands_in_order(fake, fake_machine, tmp_path):
    fake_machine.load_binary(b"MODEL", 0x08040000)
    commands = [line for line in fake.read_text().splitlines() if "GetSeed" not in line]
    shapes = [command.split("@")[0].split(" 0x")[0].strip() for command in commands]
    assert shapes[1:] == [
        'mach create "board"',
        "machine LoadPlatformDescription",
        "emulation SetGlobalSerialExecution true",
        "emulation SetGlobalAdvanceImmediately true",
        "sysbus.usart2 CreateFileBackend",
        "sysbus LoadELF",
        "sysbus.cpu VectorTableOffset",
        "sysbus LoadBinary",
    ]
    assert "/renode-" not in fake.read_text()
    assert commands[-1].endswith("0x8040000")
    assert commands[-2] == "sysbus.cpu VectorTableOffset 0x8000000"


def test_run_until_text(fake_machine, monkeypatch, fake, build_image):
    monkeypatch.setenv("FAKE_UART", "garbage @end@ more")
    with RenodeMachine(board_platform(find_board("f446re"))) as machine:
        machine.load_elf(build_image(HELLO))
        seen = []
        result = machine.run(until_uart=b"@end@", progress=seen.append)
    assert result.stop is StopReason.UART_TEXT
    assert result.uart == b"garbage @end@ more"
    assert result.instructions == 3_000_000
    assert [item.instructions for item in seen] == [1_000_000, 2_000_000]
    assert result.fault is None


def test_limits(fake_machine):
    assert fake_machine.run(max_instructions=5_000_000).stop is StopReason.MAX_INSTRUCTIONS
    assert fake_machine.instructions == 5_000_000
    assert fake_machine.run(timeout_s=0.2).stop is StopReason.TIMEOUT


def test_run_until_symbol(fake, monkeypatch, build_image):
    with RenodeMachine(board_platform(find_board("f446re"))) as machine:
        machine.load_elf(build_image(HELLO))
        address = machine.symbol("finished")
    renode_console.close_idle()
    monkeypatch.setenv("FAKE_PC", hex(address + 2))
    with RenodeMachine(board_platform(find_board("f446re"))) as machine:
        machine.load_elf(build_image(HELLO))
        assert machine.run(until_symbol="finished").stop is StopReason.SYMBOL


def test_core_that_sleeps_is_idle(fake, monkeypatch, build_image):
    monkeypatch.setenv("FAKE_IDLE_AFTER", "2")
    with RenodeMachine(board_platform(find_board("f446re"))) as machine:
        machine.load_elf(build_image(HELLO))
        assert machine.run().stop is StopReason.IDLE


def test_a_core_that_waits_for_systick_is_not_idle(fake, monkeypatch, build_image):
    monkeypatch.setenv("FAKE_IDLE_AFTER", "2")
    monkeypatch.setenv("FAKE_SYSTICK", "0x00010007")
    with RenodeMachine(board_platform(find_board("f446re"))) as machine:
        machine.load_elf(build_image(HELLO))
        assert machine.run(timeout_s=0.5).stop is StopReason.TIMEOUT


@pytest.mark.parametrize("code", ["E7FEE7FE", "F7FFBFFE"])
def test_a_branch_to_itself_is_a_loop_and_no_sleep(code, fake, monkeypatch, build_image):
    monkeypatch.setenv("FAKE_IDLE_AFTER", "2")
    # The two bytes before the instruction and it: words at 0x080000FC and, swapped, 0x08000100.
    halves = code if code == "E7FEE7FE" else code[4:] + code[:4]
    monkeypatch.setenv("FAKE_CODE", halves)
    with RenodeMachine(board_platform(find_board("f446re"))) as machine:
        machine.load_elf(build_image(HELLO))
        assert machine.run(max_instructions=30_000_000).stop is StopReason.MAX_INSTRUCTIONS
        assert machine.run(timeout_s=0.2).stop is StopReason.TIMEOUT


def test_one_line_of_commands_a_slice_and_slices_grow(fake, monkeypatch, build_image):
    monkeypatch.setenv("FAKE_UART", "@end@")
    with RenodeMachine(board_platform(find_board("f446re"))) as machine:
        machine.load_elf(build_image(HELLO))
        before = len(fake.read_text().splitlines())
        machine.run(until_uart=b"@end@")
        after = len(fake.read_text().splitlines())
    lines = fake.read_text().splitlines()[before:after]
    slices = [line.split('"')[1] for line in lines if line != "emulation GetSeed"]
    assert slices == ["0.020000", "0.040000", "0.080000"]


def test_the_next_machine_takes_the_same_process(fake, build_image):
    processes = []
    for board in ("f446re", "f767zi"):
        with RenodeMachine(board_platform(find_board(board))) as machine:
            machine.load_elf(build_image(HELLO))
            processes.append(machine._console._process.pid)
    assert processes[0] == processes[1]
    assert fake.read_text().count("\nClear\n") == 2


def test_a_process_that_failed_is_not_taken_again(fake, monkeypatch, build_image):
    monkeypatch.setenv("FAKE_DIES", "1")
    machine = RenodeMachine(board_platform(find_board("f446re")))
    machine.load_elf(build_image(HELLO))
    with pytest.raises(EmulationError):
        machine.run()
    monkeypatch.delenv("FAKE_DIES")
    with RenodeMachine(board_platform(find_board("f446re"))) as machine:
        machine.load_elf(build_image(HELLO))
        assert machine.run(max_instructions=1_000_000).stop is StopReason.MAX_INSTRUCTIONS


@pytest.mark.parametrize(
    ("variable", "value", "kind", "message"),
    [
        ("FAKE_READS", "2", FaultKind.UNMAPPED_ACCESS, "2 reads and 0 writes where no memory"),
        ("FAKE_HALTED", "True", FaultKind.EXECUTE_DATA, "Renode halted the core"),
    ],
)
def test_faults(variable, value, kind, message, fake, monkeypatch, build_image):
    monkeypatch.setenv(variable, value)
    with RenodeMachine(board_platform(find_board("f446re"))) as machine:
        machine.load_elf(build_image(HELLO))
        result = machine.run()
    assert result.stop is StopReason.FAULT
    assert result.fault.kind is kind
    assert message in result.fault.message
    assert result.fault.location.address == 0x8000100


def test_memory(fake_machine):
    assert fake_machine.read_memory(0x20000001, 5) == b"\x22\x33\x44\x55\x66"
    with pytest.raises(EmulationError, match="those from 0x20020000 on lie in no memory"):
        fake_machine.read_memory(0x2001FFFE, 4)


def test_complaints_are_errors(fake):
    console = renode_console.open_console()
    try:
        with pytest.raises(
            EmulationError, match=r"(?s)Renode refuses `sysbus Nonsense`: .*no such"
        ):
            console.execute("sysbus Nonsense")
        assert console.number("sysbus.cpu PC") == 0x8000100
    finally:
        console.close()


def test_long_commands_leave_no_trace_in_outputs_and_errors(fake, tmp_path):
    console = renode_console.open_console()
    try:
        long = "sysbus Nonsense " + "x" * 200
        with pytest.raises(EmulationError) as caught:
            console.execute(long)
        assert str(caught.value).count(long) == 2  # what was refused, and Renode's own words
        assert str(caught.value).count("xxx") == str(caught.value).count(long) * (200 // 3)
        for length in range(60, 90):
            path = "p" * length
            assert console.execute(f"sysbus LoadELF @/{path}") == ""
    finally:
        console.close()


def test_the_history_of_the_user_stays_as_it_is(tmp_path, monkeypatch):
    """Renode writes it anew at each command, all that was ever typed."""
    put_on_path("-m tests.emulation.renode.fake_renode", tmp_path / "bin", monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    console = renode_console.open_console()
    console.execute("emulation SetSeed 1592614637")
    console.close()
    assert not (tmp_path / "home").exists()
    assert not list(tmp_path.glob("mcu-predictor-*"))


def test_what_the_console_cannot_read_is_told(fake):
    console = renode_console.open_console()
    try:
        with pytest.raises(EmulationError, match=r"nothing but ASCII.*caf\u00e9.*TMPDIR"):
            console.execute("sysbus LoadELF @/tmp/caf\u00e9/program.elf")
    finally:
        console.close()


def test_the_last_words_of_a_worker_are_told(monkeypatch, tmp_path):
    (tmp_path / "pyrenode3").mkdir()
    (tmp_path / "pyrenode3" / "__init__.py").write_text("raise ImportError('no runtime here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EmulationError, match="ImportError: no runtime here"):
        renode_console.PythonConsole({})


def test_the_python_package_alone_is_no_renode(monkeypatch, tmp_path):
    (tmp_path / "pyrenode3").mkdir()
    (tmp_path / "pyrenode3" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in (*python_package.NAMES, "PYRENODE_RUNTIME"):
        monkeypatch.delenv(name, raising=False)
    assert python_package.environment() is None
    assert not renode_console.is_installed()
    monkeypatch.setenv("PYRENODE_PKG", "/opt/renode.tar.gz")
    assert python_package.environment() == {"PYRENODE_RUNTIME": "coreclr"}
    monkeypatch.setenv("PYRENODE_RUNTIME", "mono")
    assert python_package.environment() == {"PYRENODE_RUNTIME": "mono"}


@pytest.mark.parametrize(
    ("beside", "name"),
    [("libhostfxr.so", "PYRENODE_BIN"), ("output/bin/Release/Renode.dll", "PYRENODE_BUILD_DIR")],
)
def test_the_python_package_takes_the_renode_among_the_commands(
    beside, name, monkeypatch, tmp_path
):
    (tmp_path / "site" / "pyrenode3").mkdir(parents=True)
    (tmp_path / "site" / "pyrenode3" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for variable in (*python_package.NAMES, "PYRENODE_RUNTIME"):
        monkeypatch.delenv(variable, raising=False)
    home = tmp_path / "home"
    put_on_path("", home, monkeypatch)
    links = tmp_path / "bin"
    links.mkdir()
    (links / "renode").symlink_to(home / "renode")
    monkeypatch.setenv("PATH", str(links))
    assert python_package.environment() is None  # a program that pyrenode3 cannot load
    (home / beside).parent.mkdir(parents=True, exist_ok=True)
    (home / beside).touch()
    found = python_package.environment()
    expected = home / "renode" if name == "PYRENODE_BIN" else home
    assert found == {"PYRENODE_RUNTIME": "coreclr", name: str(expected)}


def test_silence_and_death_are_errors(fake, monkeypatch, build_image):
    monkeypatch.setenv("FAKE_STUCK", "1")
    monkeypatch.setattr("predictor.emulation.renode.machine.COMMAND_TIMEOUT_S", 0.5)
    monkeypatch.setattr("predictor.emulation.renode.console._QUIT_TIMEOUT_S", 0.2)
    machine = RenodeMachine(board_platform(find_board("f446re")))
    machine.load_elf(build_image(HELLO))
    with pytest.raises(EmulationError, match="does not answer to `emulation RunFor"):
        machine.run()
    assert machine._console._process.poll() is not None
    monkeypatch.delenv("FAKE_STUCK")
    monkeypatch.setenv("FAKE_DIES", "1")
    machine = RenodeMachine(board_platform(find_board("f446re")))
    machine.load_elf(build_image(HELLO))
    with pytest.raises(EmulationError, match=r"Renode (has )?ended.*the emulator dies"):
        machine.run()


def test_nothing_is_left_behind(fake, tmp_path, build_image):
    machine = RenodeMachine(board_platform(find_board("f446re")))
    machine.load_elf(build_image(HELLO))
    assert list(tmp_path.glob("mcu-predictor-*"))
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    assert machine._console._process.poll() is not None
    assert not list(tmp_path.glob("mcu-predictor-*"))
    machine.close()


def test_missing_renode_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(python_package.importlib.util, "find_spec", lambda name: None)
    assert not renode_console.is_installed()
    with pytest.raises(MissingDependencyError, match=r"renode\.io.*pyrenode3"):
        RenodeMachine(board_platform(find_board("f446re")))


@pytest.fixture(params=["unicorn", pytest.param("renode", marks=pytest.mark.renode)])
def any_machine(request, build_image):
    """Makes machines of either emulator."""
    if request.param == "renode" and not renode_console.is_installed():
        pytest.skip(renode_console.INSTALL_HINT)
    if request.param == "unicorn":
        pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
    kind = {"unicorn": UnicornMachine, "renode": RenodeMachine}[request.param]
    machines = []

    def make(text, board):
        machine = kind(board_platform(find_board(board)))
        machines.append(machine)
        machine.load_elf(build_image(text, board))
        return machine

    yield make
    for machine in machines:
        machine.close()


@pytest.mark.parametrize("board", ["f446re", "f746zg", "f767zi"])
def test_contract_text_memory_and_cycle_counter(board, any_machine):
    text = HEAD + (
        "volatile uint32_t result[2];\n"
        "int main(void) {\n"
        "  cycle_counter_on();\n"
        "  uint32_t start = CYCLES;\n"
        '  __asm volatile("mov r0, #20000\\n1: subs r0, #1\\n\\tbne 1b" ::: "r0", "cc");\n'
        "  result[0] = CYCLES - start;\n"
        "  volatile uint32_t* last = (uint32_t*)LAST_WORD;\n"
        "  *last = 0x12345678;\n"
        "  result[1] = *last;\n"
        '  uart_text("done\\n");\n}\n'
    )
    ram_end = max(memory.end for memory in board_platform(find_board(board)).memories)
    machine = any_machine(f"#define LAST_WORD {ram_end - 4}u\n" + text, board)
    result = machine.run(until_symbol="finished", timeout_s=60)
    assert result.stop is StopReason.SYMBOL
    assert result.uart == machine.uart == b"done\n"
    cycles, last = struct.unpack("<2I", machine.read_memory(machine.symbol("result"), 8))
    assert abs(cycles - 40_000) <= 64  # Renode's virtual time goes in steps
    assert last == 0x12345678


def test_contract_access_outside_is_a_fault(any_machine):
    text = HEAD + "int main(void) { *(volatile int*)0x20020000 = 1; }\n"
    result = any_machine(text, "f446re").run(until_symbol="finished", timeout_s=60)
    assert result.stop is StopReason.FAULT
    assert result.fault.kind is FaultKind.UNMAPPED_ACCESS


def test_contract_endless_loop_ends(any_machine):
    machine = any_machine(HEAD + "int main(void) { for (;;) {} }\n", "f446re")
    start = time.monotonic()
    result = machine.run(max_instructions=10_000_000, timeout_s=60)
    assert result.stop is StopReason.MAX_INSTRUCTIONS
    assert time.monotonic() - start < 60
