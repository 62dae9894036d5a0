"""Ports of the firmware: which one a board takes, and what of its chip a port touches.

A port is a folder of ``firmware/ports`` with a ``port.toml``. The port of a board is that of its
UART's generation; boards whose UART has none, or that name no UART, take the generic port, which
runs in emulation only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from predictor import toml
from predictor.boards.board import Board
from predictor.boards.periphery import Uart
from predictor.errors import BoardError
from predictor.firmware.shipped import shipped_folder
from predictor.records import dataclass

GENERIC = "generic"
_DWT_CYCCNT = 0xE000_1004
"""Armv7-M architecture reference manual, C1.8."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port, as its ``port.toml`` describes it.

    Attributes:
        name: its folder.
        uart: class of Renode and, where it has no size of its own, the bytes that it takes.
        gpio: class, base, size and reset values of the chip's ports; empty where none is touched.
        peripherals: further entries of a platform file; ``{flash}`` stands for the flash's name.
        cycle_counter: address of the counter that the firmware reads.
        qemu: the machine of QEMU that the port is for; empty for ports of chips.
    """

    name: str
    generation: str | None
    uart: Mapping[str, Any]
    gpio: Mapping[str, Any]
    peripherals: str
    cycle_counter: int
    qemu: Mapping[str, Any]


@cache
def ports() -> Mapping[str, Port]:
    """All ports by name."""
    found = {}
    for path in sorted(shipped_folder("firmware").glob("ports/*/port.toml")):
        with path.open("rb") as file:
            table = toml.load(file)
        found[path.parent.name] = Port(
            name=path.parent.name,
            generation=table.get("generation"),
            uart=table["uart"],
            gpio=table.get("gpio", {}),
            peripherals=table["peripherals"]["text"].strip("\n"),
            cycle_counter=table.get("cycle_counter", _DWT_CYCCNT),
            qemu=table.get("qemu", {}),
        )
    return found


def port_of(board: Board) -> Port:
    """The port of a board.

    Raises:
        BoardError: its UART is of a generation that no port has, or lacks what the port needs.
    """
    uart = board.uart
    if uart is None or uart.generation is None:
        return ports()[GENERIC]
    for port in ports().values():
        if port.generation == uart.generation:
            for key in port.uart["keys"]:
                if getattr(uart, key) is None:
                    raise BoardError(
                        f"board {board.name}: uart.{key} is missing; the firmware needs it"
                    )
            return port
    chips = (port for port in ports().values() if not port.qemu)
    known = ", ".join(port.generation for port in chips if port.generation)
    raise BoardError(
        f"board {board.name}: uart.generation is {uart.generation!r}; the firmware has ports for "
        f"{known}; leave the key out for a port that runs in emulation only"
    )


def uart_of(board: Board) -> Uart:
    """The UART that the board's port reports over.

    Raises:
        BoardError: as :func:`port_of`.
    """
    port = port_of(board)
    if port.name == GENERIC or board.uart is None:
        return Uart(port.uart["name"], port.uart["base"])
    return board.uart
