"""Single functions in Renode: as in the in-process machine, on the stand-in and on a real one."""

from __future__ import annotations

import ctypes
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from predictor.boards.board import find_board
from predictor.emulation.function_call import Buffer, Pointer
from predictor.emulation.machine import FaultKind, Machine
from predictor.emulation.platform.board_platform import board_platform
from predictor.emulation.renode import console as renode_console
from predictor.emulation.renode import function_caller
from predictor.emulation.renode.machine import RenodeMachine
from predictor.emulation.unicorn.machine import UnicornMachine
from predictor.errors import EmulationError, FirmwareFaultError
from tests.emulation.conftest import COMPILER, ImageBuilder
from tests.emulation.machine.test_function_calls import TEXT
from tests.emulation.renode.test_driver import put_on_path

FEW_INSTRUCTIONS = 64
"""Renode advances virtual time in steps of a few instructions."""
ASSEMBLY = """
.syntax unified
.thumb
.fpu fpv4-sp-d16
  ldr r0, call
  ldr r1, cpacr
  ldr r2, [r1]
  orr r2, r2, #0xF00000
  str r2, [r1]
  dsb
  isb
  ldr r1, demcr
  ldr r2, [r1]
  orr r2, r2, #0x1000000
  str r2, [r1]
  ldr r1, lock
  ldr r2, key
  str r2, [r1]
  ldr r1, dwt
  ldr r2, [r1]
  orr r2, r2, #1
  str r2, [r1]
  ldr sp, [r0, #4]
  ldr lr, [r0]
  ldr r2, [r1, #4]
  str r2, [r0, #60]
  add r1, r0, #64
  vldmia r1, {s0-s31}
  add r0, r0, #8
  ldmia.w r0, {r0-r12}
  blx lr
  ldr lr, after
  stmia.w lr, {r0-r12}
  ldr r1, dwt
  ldr r2, [r1, #4]
  str sp, [lr, #52]
  str r2, [lr, #56]
  add r1, lr, #64
  vstmia r1, {s0-s31}
park:
  b park
.align 2
call:  .word 0x1D001100
after: .word 0x1D001208
cpacr: .word 0xE000ED88
demcr: .word 0xE000EDFC
dwt:   .word 0xE0001000
lock:  .word 0xE0001FB0
key:   .word 0xC5ACCE55
"""


@pytest.fixture(params=["f446re", "f746zg"])
def board(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(
    params=["unicorn", "stand-in", pytest.param("renode", marks=pytest.mark.renode)],
)
def machine(
    request: pytest.FixtureRequest,
    board: str,
    build_image: ImageBuilder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Machine]:
    """The same program in either emulator."""
    pytest.importorskip("unicorn", reason="pip install -e '.[emulate]'")
    if request.param == "renode" and not renode_console.is_installed():
        pytest.skip(renode_console.INSTALL_HINT)
    if request.param == "stand-in":
        put_on_path("-m tests.emulation.renode.fake_renode", tmp_path / "bin", monkeypatch)
    kind: Callable[..., Machine] = UnicornMachine if request.param == "unicorn" else RenodeMachine
    with kind(board_platform(find_board(board))) as made:
        made.load_elf(build_image(TEXT, board))
        yield made


def test_numbers_floats_and_structs(machine: Machine) -> None:
    assert machine.call("add", 3, -5).int32 == -2
    assert machine.call("product", -70_000, 70_000).int64 == -4_900_000_000
    assert machine.call("many", 1, 2, 3, 4, 5, 6).int32 == 91
    wide = machine.call("wide", 1, ctypes.c_int64(-2), 3, ctypes.c_int64(1 << 33))
    assert wide.int64 == 1 - 20 + 300 + 1000 * (1 << 33)
    assert machine.call("by_value", 1, struct.pack("<3i", 2, 3, 4), 5).int32 == 4326
    assert machine.call("scale", 1.5, 4, -0.25).s0 == 5.75
    assert machine.call("floats", *([1.0] * 15), 2.0, 3.0).s0 == 15 + 20 + 300


def test_static_data_is_set_up_and_kept(machine: Machine) -> None:
    assert [machine.call("count_calls").r0 for _ in range(3)] == [60, 71, 82]


def test_buffers_and_pointers_into_them(machine: Machine) -> None:
    data = Buffer(bytes(range(100)), "data", is_writable=False, misalignment=3)
    assert machine.call("sum", Pointer(data, 90), 10).int32 == sum(range(90, 100))
    out = Buffer(bytes(2000), "out")
    assert machine.call("fill", out, 2000, 4).contents[out] == bytes(4) + bytes(
        index & 0xFF for index in range(4, 2000)
    )
    task = Buffer(
        struct.pack("<3I", 0, 5, 0), "task", pointers={0: Pointer(data, 1), 8: Pointer(out, 100)}
    )
    contents = machine.call("run_task", task).contents
    assert contents[out][100:105] == bytes((-value) & 0xFF for value in range(1, 6))
    assert contents[data] == data.data


def test_instructions_are_those_of_the_function(machine: Machine) -> None:
    """Up to its return: three of them, and a call of many."""
    assert abs(machine.call("three").instructions - 3) <= FEW_INSTRUCTIONS
    data = Buffer(bytes(4000), "data", is_writable=False)
    counts = [machine.call("sum", data, length).instructions for length in (1000, 3000, 4000)]
    assert abs((counts[1] - counts[0]) - 2 * (counts[2] - counts[1])) <= 4 * FEW_INSTRUCTIONS
    assert counts[1] - counts[0] > 2000


def test_faults_are_of_their_call(machine: Machine) -> None:
    with pytest.raises(FirmwareFaultError) as caught:
        machine.call("load", 0x20200000)
    assert caught.value.fault.kind is FaultKind.UNMAPPED_ACCESS
    assert machine.call("add", 1, 2).int32 == 3


def test_writes_beside_a_buffer_are_faults(machine: Machine) -> None:
    out = Buffer(bytes(10), "out")
    with pytest.raises(FirmwareFaultError) as caught:
        machine.call("fill", out, 11, 4)
    assert caught.value.fault.kind is FaultKind.OUT_OF_BUFFER
    assert "0 bytes past the end of out (10 bytes)" in caught.value.fault.message
    locked = Buffer(bytes(10), "locked", is_writable=False)
    with pytest.raises(FirmwareFaultError, match="in locked, which is read-only"):
        machine.call("fill", locked, 5, 1)


@pytest.mark.parametrize(("function", "register"), [("clobber", "r6"), ("clobber_float", "s17")])
def test_registers_that_a_function_must_preserve(
    function: str, register: str, machine: Machine
) -> None:
    with pytest.raises(EmulationError, match=f"returns with {register} changed"):
        machine.call(function, 7)


def test_a_function_that_does_not_return(machine: Machine) -> None:
    with pytest.raises(EmulationError, match="spin did not return: instruction limit"):
        machine.call("spin", max_instructions=1_000_000)


def test_the_code_around_a_call_is_its_assembly(tmp_path: Path, build_image: ImageBuilder) -> None:
    del build_image  # it skips where there is no compiler
    (tmp_path / "call.S").write_text(ASSEMBLY)
    assembler = COMPILER.replace("gcc", "as")
    command = [assembler, "-mcpu=cortex-m4", "-o", tmp_path / "call.o", tmp_path / "call.S"]
    subprocess.run(command, check=True)
    copy = [COMPILER.replace("gcc", "objcopy"), "-O", "binary", "call.o", "call.bin"]
    subprocess.run(copy, check=True, cwd=tmp_path)
    code = function_caller.CODE.format(**function_caller._FLOATS)
    assembled = (tmp_path / "call.bin").read_bytes()
    assert bytes.fromhex(code) == assembled
    assert assembled[function_caller.PARK_OFFSET :][:2] == b"\xfe\xe7"
