"""A board as a machine of QEMU has it.

QEMU's machines have fixed memories. A board whose memories are among them stays as it is; those of
any other are moved into the machine's large one, with names, kinds and sizes as they are: arena,
outputs and instructions do not depend on addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from predictor.boards.board import Board, Region
from predictor.boards.periphery import Uart
from predictor.emulation.platform.description import Memory, Platform
from predictor.errors import EmulationError
from predictor.firmware.ports import Port, ports

_GAP_BYTES = 1 << 20
"""Between memories that are no neighbours on the board; their addresses are multiples of it."""


def qemu_port(board: Board) -> Port | None:
    """The port for the machine of QEMU that runs a board's code, None where there is none."""
    machine = board.core.model.qemu_machine
    found = (port for port in ports().values() if port.qemu.get("machine") == machine)
    return next(found, None) if machine else None


def qemu_board(board: Board) -> Board:
    """The board in QEMU: with the machine's UART, and its memories where the machine has some.

    Raises:
        EmulationError: QEMU has no machine for the core, or the machine too little memory.
    """
    port = qemu_port(board)
    if port is None:
        raise EmulationError(f"QEMU has no machine with a {board.core.name}; Renode has")
    uart = Uart(port.uart["name"], port.uart["base"], generation=port.generation)
    regions = board.regions
    if not all(_is_held(region, port.qemu["memories"]) for region in regions):
        regions = tuple(_moved(board, port))
    return replace(board, regions=regions, uart=uart, marker=None)


def _is_held(region: Region, memories: list[Mapping[str, Any]]) -> bool:
    return any(
        item["base"] <= region.base and region.end <= item["base"] + item["bytes"]
        for item in memories
    )


def _moved(board: Board, port: Port) -> Iterator[Region]:
    """The regions one behind the other. The program's RAM comes first: a stack that grows out of it
    leaves the machine's memory."""
    first = board.spans("sram")[0].regions
    rest = [region for region in board.regions if region not in first]
    position = port.qemu["roomy_base"]
    end, last = position + port.qemu["roomy_bytes"], first[0].base
    for region in (*first, *sorted(rest, key=lambda item: item.base)):
        if region.base != last:
            position = -(-(position + _GAP_BYTES) // _GAP_BYTES) * _GAP_BYTES
        yield replace(region, base=position, alias_base=None)
        position, last = position + region.size_bytes, region.end
        if position > end:
            raise EmulationError(f"{port.name} in QEMU has too little memory for {board.name}")


def qemu_platform(board: Board) -> Platform:
    """The memories of a board that :func:`qemu_board` made."""
    memories = (Memory(region.name, region.base, region.size_bytes) for region in board.regions)
    flash = frozenset(region.name for region in board.regions if region.kind == "flash")
    return Platform(
        Path(board.name), tuple(sorted(memories, key=lambda memory: memory.base)), {}, flash
    )
