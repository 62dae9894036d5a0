"""Writes what Renode reads of the boards that ship: ``python -m tools.write_platforms``.

A platform file and a script a board, and the suite that runs all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from predictor.boards.board import Board, shipped_boards
from predictor.emulation.platform.board_platform import platform_text, platforms_folder
from predictor.firmware.ports import uart_of

SUITE = "boards.robot"


def files() -> Mapping[str, str]:
    """The content of each file, by name."""
    boards = sorted(shipped_boards(), key=lambda board: board.name)
    texts = {f"{board.name}.repl": platform_text(board) for board in boards}
    texts |= {f"{board.name}.resc": script(board) for board in boards}
    return texts | {SUITE: suite(boards)}


def script(board: Board) -> str:
    """Starts Renode on a board; the program is named by ``$elf``."""
    title = board.title.removeprefix("ST ")
    return f"""\
:name: {title}
:description: Runs the firmware on an emulated {title}. README.md tells how to set $elf.

mach create "{board.name}"
machine LoadPlatformDescription $ORIGIN/{board.name}.repl
showAnalyzer sysbus.{uart_of(board).name}

using sysbus

# One quantum at a time, one after the other: runs repeat exactly.
emulation SetGlobalSerialExecution true

macro reset
\"\"\"
    sysbus LoadELF $elf
    cpu VectorTableOffset 0x{board.spans("flash")[0].regions[0].base:08X}
\"\"\"
runMacro $reset
"""


def suite(boards: Sequence[Board]) -> str:
    """A test a board, skipped where no program for it is given."""
    names = [board.name for board in boards]
    variables = "".join(f"{f'${{{_variable(name)}}}':<21} ${{EMPTY}}\n" for name in names)
    cases = "".join(
        f"{f'Runs On {board.name.upper()}':<25} {board.name:<15} "
        f"{f'sysbus.{uart_of(board).name}':<16} ${{{_variable(board.name)}}}\n"
        for board in boards
    )
    return (
        _HEAD.replace("ELF_FIRST", _variable(names[0]))
        .replace("first", names[0])
        .replace("VARIABLES\n", variables)
        .replace("CASES\n", cases)
    )


def _variable(name: str) -> str:
    """Robot's variable that names a board's program."""
    return f"ELF_{re.sub(r'[^A-Z0-9]', '_', name.upper())}"


_HEAD = """\
*** Settings ***
Documentation     Runs the firmware on each board and checks what it says.
...               renode-test --variable ELF_FIRST:/path/first.elf boards.robot
...               (likewise the others); boards without ELF are skipped. The ELF holds the
...               model, or --variable MODEL:/path/first.model names a file with it.
Suite Setup       Setup
Suite Teardown    Teardown
Test Setup        Reset Emulation
Test Teardown     Test Teardown
Test Template     Firmware Should Run To Its End
Library           String
Resource          ${RENODEKEYWORDS}

*** Variables ***
VARIABLES
${MODEL}              ${EMPTY}
${TIMEOUT}            60

*** Test Cases ***        BOARD           UART             ELF
CASES

*** Keywords ***
Firmware Should Run To Its End
    [Arguments]    ${board}    ${uart}    ${elf}
    Skip If    '${elf}' == ''    no ELF file is given for ${board}
    ${folder}=    Path For The Monitor    ${CURDIR}
    ${elf}=    Path For The Monitor    ${elf}
    Execute Command    $elf=@${elf}
    Execute Command    include @${folder}/${board}.resc
    IF    '${MODEL}' != ''
        ${file}=    Path For The Monitor    ${MODEL}
        Execute Command    $model=@${file}
        Execute Command    include @${folder}/model.resc
    END
    Create Terminal Tester    ${uart}    timeout=${TIMEOUT}    defaultPauseEmulation=true
    Register Failing Uart String    ^@1 \\\\d+ end status=failed .*    treatAsRegex=true
    Wait For Line On Uart    ^@1 0 hello .* board=${board} .*    treatAsRegex=true
    Wait For Line On Uart    ^@1 \\\\d+ end status=ok .*    treatAsRegex=true
    No Access Should Have Left Memory

Path For The Monitor
    [Documentation]    Spaces stand behind backslashes.
    [Arguments]    ${path}
    ${escaped}=    Replace String    ${path}    ${SPACE}    \\\\${SPACE}
    RETURN    ${escaped}

No Access Should Have Left Memory
    [Documentation]    Renode logs and ignores such accesses; a board traps.
    ${reads}=    Execute Command    sysbus UnexpectedReads
    ${writes}=    Execute Command    sysbus UnexpectedWrites
    Should Be Equal As Integers    ${{int($reads.strip(), 0)}}    0
    Should Be Equal As Integers    ${{int($writes.strip(), 0)}}    0
"""


def main() -> None:
    for name, text in files().items():
        path = platforms_folder() / name
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
