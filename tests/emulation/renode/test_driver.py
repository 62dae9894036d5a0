"""The driver of Renode: its dialogue against a stand-in, and the machine's contract on a real one.

The contract tests also run on Unicorn; they skip for Renode where it is not installed.
"""

from __future__ import annotations

import os
import signal
import stat
import struct
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.emulation.machine import FaultKind, StopReason
from predictor.emulation.platform.board_platform import board_platform
from predictor.emulation.renode import console as renode_console
from predictor.emulation.renode.machine import RenodeMachine
from predictor.emulation.unicorn.machine import UnicornMachine
from predictor.errors import EmulationError, MissingDependencyError

HEAD = '#include "start.h"\n'
HELLO = HEAD + 'int main(void) { uart_text("hello\\n"); }\n'
SCRIPTED = Path(__file__).parent / "scripted_renode.py"


def put_on_path(program, folder, monkeypatch):
    """Makes a command the ``renode`` that the driver finds."""
    folder.mkdir()
    script = folder / "renode"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {program}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A stand-in that does what it is told; returns the file that gets its commands."""
    put_on_path(SCRIPTED, tmp_path / "bin", monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
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
    monkeypatch.setenv("FAKE_PC", hex(address + 2))
    with RenodeMachine(board_platform(find_board("f446re"))) as machine:
        machine.load_elf(build_image(HELLO))
        assert machine.run(until_symbol="finished").stop is StopReason.SYMBOL


def test_core_that_sleeps_is_idle(fake, monkeypatch, build_image):
    monkeypatch.setenv("FAKE_IDLE_AFTER", "2")
    with RenodeMachine(board_platform(find_board("f446re"))) as machine:
        machine.load_elf(build_image(HELLO))
        assert machine.run().stop is StopReason.IDLE


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
    with pytest.raises(EmulationError, match=r"Renode (has )?ended"):
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
    monkeypatch.setattr(renode_console.importlib.util, "find_spec", lambda name: None)
    assert not renode_console.is_installed()
    with pytest.raises(MissingDependencyError, match=r"renode\.io.*pyrenode3"):
        RenodeMachine(board_platform(find_board("f446re")))


@pytest.fixture(params=["unicorn", pytest.param("renode", marks=pytest.mark.renode)])
def any_machine(request, build_image):
    """Makes machines of either emulator."""
    if request.param == "renode" and not renode_console.is_installed():
        pytest.skip(renode_console.INSTALL_HINT)
    if request.param == "unicorn":
        pytest.importorskip("unicorn", reason="pip install 'mcu-predictor[emulate]'")
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
    assert abs(cycles - 40_000) < 16
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
