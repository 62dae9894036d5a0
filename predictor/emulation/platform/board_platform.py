"""The platform of a board: a ``.repl`` file made of its description and its firmware's port.

Renode and the in-process emulator read the same text. The files in ``renode_platforms`` are these
texts for the boards that ship.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from predictor.boards.board import Board
from predictor.emulation.platform.description import Platform, parse_platform
from predictor.emulation.platform.renode_classes import check_classes, renode_classes
from predictor.errors import BoardError
from predictor.firmware.ports import Port, port_of, uart_of
from predictor.firmware.shipped import shipped_folder

PRIORITY_MASK = 0xF0
"""Four bits of priority, as the boards' chips have them."""
LONGEST_STEP = 40
"""Of Renode's virtual time, in instructions."""
_IDENTIFIER = re.compile(r"[A-Za-z]\w*", re.ASCII)


def platforms_folder() -> Path:
    """The folder of the shipped platform files, in a checkout or an installation."""
    return shipped_folder("renode_platforms")


def board_platform(board: Board) -> Platform:
    """The platform of any board.

    Raises:
        BoardError: the description lacks what the board's port needs.
        PlatformError: it does not make a platform that Renode takes.
    """
    platform = parse_platform(platform_text(board), f"{board.name}.repl")
    check_classes(platform)
    flash = frozenset(region.name for region in board.regions if region.kind == "flash")
    return replace(platform, read_only=flash)


def platform_text(board: Board) -> str:
    """The platform file of a board: its memories, core and clock, and what its port touches.

    Raises:
        BoardError: the description lacks what the board's port needs.
    """
    port = port_of(board)
    entries = [*_memories(board), *_core(board), *_peripherals(board, port)]
    entries += [*_gpios(board, port), _uart(board, port)]
    # A title is free text; a line break in it would end the comment.
    title = " ".join(board.title.split())
    head = (
        f"// {title}: the memories, core, clock and UART of its description, and what\n"
        "// the firmware touches of its chip. README.md says what is modelled.\n"
    )
    return head + "".join(f"\n{entry}\n" for entry in entries)


def _memories(board: Board) -> Iterator[str]:
    for region in board.regions:
        if not _IDENTIFIER.fullmatch(region.name):
            raise BoardError(
                f"board {board.name}: emulation needs names of letters, digits and _ for regions, "
                f"not {region.name!r}"
            )
        size = f"    size: 0x{region.size_bytes:X}"
        if region.alias_base is None:
            at = f"sysbus {_address(region.base)}"
            yield f"{region.name}: Memory.MappedMemory @ {at}\n{size}"
            continue
        points = f"sysbus {_address(region.base)};\n        sysbus {_address(region.alias_base)}"
        yield (
            "// One memory, seen at two addresses.\n"
            f"{region.name}: Memory.MappedMemory @ {{\n        {points}\n    }}\n{size}"
        )


def _address(value: int) -> str:
    return f"0x{value:08X}"


def _core(board: Board) -> Iterator[str]:
    mips = _mips(board)
    yield (
        "// One instruction a cycle: with the same clock below, CYCCNT counts instructions.\n"
        "cpu: CPU.CortexM @ sysbus\n"
        f'    cpuType: "{board.core.model.renode_type}"\n'
        "    nvic: nvic\n"
        f"    PerformanceInMips: {mips}"
    )
    yield (
        "nvic: IRQControllers.NVIC @ sysbus 0xE000E000\n"
        f"    priorityMask: 0x{PRIORITY_MASK:X}\n"
        f"    systickFrequency: {mips * 1_000_000}\n"
        "    IRQ -> cpu@0"
    )
    yield f"dwt: Miscellaneous.DWT @ sysbus 0xE0001000\n    frequency: {mips * 1_000_000}"


def _mips(board: Board) -> int:
    """Millions of instructions a second, as Renode takes them: whole, and with steps so short that
    a count that starts in one and ends in another is hardly less exact."""
    clock = board.core.clock_hz / 1e6
    short = (mips for mips in range(1, 2 * math.ceil(clock) + 1) if _has_short_steps(mips))
    return min(short, key=lambda mips: (abs(mips - clock), -mips))


def _has_short_steps(mips: int) -> bool:
    return step_instructions(mips) <= LONGEST_STEP


def step_instructions(mips: int) -> int:
    """Instructions by which Renode's virtual time, counted in nanoseconds, advances at once.

    As ``TimeInterval.FromCPUCycles`` has it.
    """
    return mips // math.gcd(mips, 1000)


def _peripherals(board: Board, port: Port) -> Iterator[str]:
    if port.peripherals:
        yield port.peripherals.replace("{flash}", board.spans("flash")[0].regions[0].name)


def _gpios(board: Board, port: Port) -> Iterator[str]:
    """The ports of the pins that the firmware drives."""
    if not port.gpio:
        return
    pins = (uart_of(board).tx_pin, board.marker)
    for number in sorted({pin.port for pin in pins if pin is not None}):
        letter = chr(ord("A") + number)
        base = port.gpio["base"] + number * port.gpio["size_bytes"]
        lines = [
            f"gpioPort{letter}: {port.gpio['class']} @ "
            f"sysbus <{_address(base)}, +0x{port.gpio['size_bytes']:X}>"
        ]
        reset = port.gpio["reset"].get(letter, {})
        lines += [f"    {name}: {_address(value)}" for name, value in reset.items()]
        lines += [f"    {name}: {value}" for name, value in port.gpio["attributes"].items()]
        yield "\n".join(lines)


def _uart(board: Board, port: Port) -> str:
    uart, size = uart_of(board), port.uart.get("size_bytes")
    base = _address(uart.base)
    at = base if size is None else f"<{base}, +0x{size:X}>"
    lines = [f"{uart.name}: {port.uart['class']} @ sysbus {at}"]
    if "clock_divider" in port.uart:
        lines.append(f"    frequency: {_mips(board) * 1_000_000 // port.uart['clock_divider']}")
    if uart.irq is not None and renode_classes()[port.uart["class"]].gpios:
        lines.append(f"    IRQ -> nvic@{uart.irq}")
    return "\n".join(lines)
