"""A machine as files that Renode opens by hand, and as a robot suite for ``renode-test``.

The folder holds all that it takes: platform file, script, program, model, suite.
"""

from __future__ import annotations

import shlex
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from predictor.boards.board import Board
from predictor.emulation.platform.board_platform import platform_text
from predictor.firmware.ports import uart_of
from predictor.records import dataclass

PROGRAM, MODEL = "program.elf", "model.bin"
_INSTRUCTION_SLACK = 0.01
"""Of the instructions that were counted; compilers and emulators differ by less."""
_PATIENCE_S = 60
"""Virtual seconds for anything but the inference, which takes an instruction a cycle."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A board with a program and what stands in flash behind it."""

    board: Board
    program: bytes
    model: bytes
    model_address: int
    vectors_address: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What a run must tell: bytes of the arena, the first inference's outputs and instructions."""

    used_bytes: int
    outputs: Sequence[bytes]
    instructions: int


def machine_files(machine: Machine) -> Mapping[str, bytes]:
    """The content of all files by name, the suite apart."""
    name = machine.board.name
    return {
        f"{name}.repl": platform_text(machine.board).encode(),
        f"{name}.resc": _script(machine).encode(),
        PROGRAM: machine.program,
        MODEL: machine.model,
    }


def command_line(script: Path) -> str:
    """What opens a script's machine in Renode's monitor; ``start`` there runs it."""
    path = str(script.resolve()).replace(" ", "\\ ")
    return shlex.join(["renode", "--console", "-e", f"include @{path}"])


def _script(machine: Machine) -> str:
    name, uart = machine.board.name, uart_of(machine.board).name
    return f"""\
:name: {name}
:description: A program with its model on an emulated {name}; `start` runs it.

mach create "{name}"
machine LoadPlatformDescription $ORIGIN/{name}.repl
showAnalyzer sysbus.{uart}

# One quantum at a time, one after the other: runs repeat exactly.
emulation SetGlobalSerialExecution true

sysbus LoadELF $ORIGIN/{PROGRAM}
sysbus LoadBinary $ORIGIN/{MODEL} 0x{machine.model_address:08X}
sysbus.cpu VectorTableOffset 0x{machine.vectors_address:08X}
"""


def robot_suite(board: Board, expected: Expected) -> str:
    """A suite that runs the script of the same folder and holds it to what is expected."""
    outputs = "".join(
        f"    Wait For Line On Uart    ^@1 \\\\d+ output run=0 index={index} .* "
        f"crc={zlib.crc32(content):08X}\\\\*    treatAsRegex=true\n"
        for index, content in enumerate(expected.outputs)
    )
    limit = round(expected.instructions * (1 + _INSTRUCTION_SLACK))
    inference_s = expected.instructions / board.core.clock_hz
    return f"""\
*** Settings ***
Documentation     Runs the model and checks arena, outputs, instructions and accesses:
...               renode-test {board.name}.robot
Suite Setup       Setup
Suite Teardown    Teardown
Test Setup        Reset Emulation
Test Teardown     Test Teardown
Library           String
Resource          ${{RENODEKEYWORDS}}

*** Variables ***
${{ARENA_BYTES}}         {expected.used_bytes}
${{MAX_INSTRUCTIONS}}    {limit}
# Virtual seconds.
${{TIMEOUT}}             {_PATIENCE_S + int(2 * inference_s)}

*** Test Cases ***
Model Runs As Predicted
    ${{folder}}=    Replace String    ${{CURDIR}}    ${{SPACE}}    \\\\${{SPACE}}
    Execute Command    include @${{folder}}/{board.name}.resc
    Create Terminal Tester    sysbus.{uart_of(board).name}    timeout=${{TIMEOUT}}    \
defaultPauseEmulation=true
    Register Failing Uart String    ^@1 \\\\d+ end status=failed .*    treatAsRegex=true
    Wait For Line On Uart    ^@1 \\\\d+ arena .* used_bytes=${{ARENA_BYTES}} .*    \
treatAsRegex=true
    ${{invoke}}=    Wait For Line On Uart    ^@1 \\\\d+ invoke run=0 cyccnt=(\\\\d+) \
hook_cyccnt=(\\\\d+)    treatAsRegex=true
    ${{instructions}}=    Evaluate    ${{invoke.Groups[0]}} - ${{invoke.Groups[1]}}
    Should Be True    ${{instructions}} <= ${{MAX_INSTRUCTIONS}}
{outputs}\
    Wait For Line On Uart    ^@1 \\\\d+ end status=ok .*    treatAsRegex=true
    No Access Should Have Left Memory

*** Keywords ***
No Access Should Have Left Memory
    [Documentation]    Renode logs and ignores such accesses; a board traps.
    ${{reads}}=    Execute Command    sysbus UnexpectedReads
    ${{writes}}=    Execute Command    sysbus UnexpectedWrites
    Should Be Equal As Integers    ${{{{int($reads.strip(), 0)}}}}    0
    Should Be Equal As Integers    ${{{{int($writes.strip(), 0)}}}}    0
"""
