"""The machine on QEMU: ends of runs, counts, memory, faults."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.emulation.machine import StopReason
from predictor.emulation.qemu.board import qemu_board
from predictor.emulation.qemu.machine import PROGRAM, QemuMachine
from predictor.errors import EmulationError, MissingDependencyError

SOURCE = Path(__file__).parent / "program.S"
GUARD = 300.0
"""Seconds after which a run hangs, on a machine however busy."""
Maker = Callable[..., QemuMachine]


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    """A machine with the program, which loops so often and then reads an address."""
    for name, install in ((PROGRAM, "qemu-system-arm"), ("arm-none-eabi-gcc", "gcc-arm-none-eabi")):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is missing: apt install {install}")

    def made(loops: int = 1000, address: int = 0x2000_0000) -> QemuMachine:
        elf = tmp_path / "program.elf"
        command = [
            "arm-none-eabi-gcc",
            "-mcpu=cortex-m55",
            "-nostdlib",
            str(SOURCE),
            "-o",
            str(elf),
        ]
        command += [f"-DLOOPS={loops}", f"-DADDRESS={address:#x}"]
        places = "--section-start=.vectors=0x1000000,-Ttext=0x1000100,-Tbss=0x20000000"
        command += [f"-Wl,{places},--defsym=_vectors=0x1000000,-e,reset"]
        subprocess.run(command, check=True)
        machine = QemuMachine(qemu_board(find_board("mps3-an547")))
        machine.load_elf(elf)
        return machine

    return made


def test_counts_are_those_of_the_program(make: Maker) -> None:
    with make(loops=1000) as machine:
        result = machine.run(until_symbol="done", timeout_s=GUARD)
        assert (result.stop, result.uart, result.fault) == (StopReason.SYMBOL, b"AB", None)
        # Two instructions a loop, and the second read of the counter.
        value = machine.read_memory(machine.symbol("value"), 4)
        assert int.from_bytes(value, "little") == 2001
        between = result.instructions
    with make(loops=5000) as machine:
        longer = machine.run(until_symbol="done", timeout_s=GUARD).instructions
    assert longer - between == 2 * 4000


def test_a_run_goes_on_where_it_stopped(make: Maker) -> None:
    with make() as machine:
        assert machine.run(until_symbol="sent", timeout_s=GUARD).uart == b"A"
        first = machine.instructions
        assert machine.run(until_symbol="done", timeout_s=GUARD).uart == b"AB"
        assert machine.instructions > first
        # `done` is reached again and again: each run takes a turn of it.
        turn = machine.instructions
        machine.run(until_symbol="done", timeout_s=GUARD)
        assert machine.instructions >= turn + 2


def test_other_ends(make: Maker) -> None:
    with make(loops=100_000_000) as machine:
        text = machine.run(until_uart=b"A", timeout_s=GUARD)
        assert text.stop is StopReason.UART_TEXT
        limited = machine.run(max_instructions=1000, timeout_s=GUARD)
        assert limited.stop is StopReason.MAX_INSTRUCTIONS
        assert limited.instructions >= 1000
        assert machine.run(until_symbol="fault", timeout_s=0.1).stop is StopReason.TIMEOUT
        told: list[int] = []
        machine.run(
            max_instructions=machine.instructions + 1,
            timeout_s=GUARD,
            progress=lambda state: told.append(state.instructions),
        )
        assert told == sorted(told)


def test_memory_is_read_and_written(make: Maker) -> None:
    data = bytes(range(256)) * 12
    with make() as machine:
        machine.load_binary(data, 0x0101_0000)
        assert machine.read_memory(0x0101_0000, len(data)) == data
        machine.write_memory(0x2100_0000, data)
        assert machine.read_memory(0x2100_0000, len(data)) == data
        with pytest.raises(EmulationError, match="lie in no memory"):
            machine.read_memory(0x5000_0000, 4)
        with pytest.raises(EmulationError, match="before the first run"):
            machine.load_binary(data, 0x0101_0000)


def test_an_access_outside_memory_traps(make: Maker) -> None:
    with make(address=0x5FF0_0000) as machine:
        assert machine.run(until_symbol="fault", timeout_s=GUARD).stop is StopReason.SYMBOL


def test_a_core_that_locks_up_is_a_fault(make: Maker) -> None:
    with make() as machine:
        machine.run(until_symbol="sent", timeout_s=GUARD)
        # Nothing executable behind the vectors: the fault's handler faults.
        machine.write_memory(0x0100_0000, bytes(64))
        machine.write_memory(machine.symbol("sent"), b"\xff\xff\xff\xff")
        result = machine.run(until_symbol="done", timeout_s=GUARD)
        assert result.stop is StopReason.FAULT
        assert result.fault is not None
        assert "Lockup" in result.fault.message


def test_a_missing_qemu_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingDependencyError, match="apt install qemu-system-arm"):
        QemuMachine(qemu_board(find_board("mps3-an547")))
