"""The board's description as the firmware's build reads it."""

from __future__ import annotations

import re
from typing import Any

from predictor.boards.board import Board
from predictor.errors import BoardError

_PORTS = {"f4": "stm32f4", "f7": "stm32f7"}


def board_file(board: Board) -> str:
    """The board's description as CMake variables.

    Raises:
        BoardError: it lacks what the firmware needs, or has a UART of an unknown kind.
    """
    uart = board.tables.get("uart", {})
    generation = _uart_key(board, uart, "generation")
    if generation not in _PORTS:
        raise BoardError(
            f"board {board.name}: uart.generation is {generation!r}; the firmware has ports for "
            f"{', '.join(_PORTS)}"
        )
    tx_port, tx_pin = _pin(board, "uart.tx_pin", _uart_key(board, uart, "tx_pin"))
    flash, ram = board.spans("flash")[0], board.spans("sram")[0]
    values = {
        "BOARD_NAME": board.name,
        "BOARD_CORE": board.core.name,
        "CORE_FLAGS": ";".join(board.core.model.compiler_flags),
        "BOARD_PORT": _PORTS[generation],
        "BOARD_CLOCK_HZ": board.core.clock_hz,
        "BOARD_FLASH_WAIT_STATES": board.core.flash_wait_states,
        "BOARD_FLASH_BASE": hex(flash.regions[0].base),
        "BOARD_FLASH_BYTES": flash.size_bytes,
        "BOARD_RAM_BASE": hex(ram.regions[0].base),
        "BOARD_RAM_BYTES": ram.size_bytes,
        "BOARD_UART_NAME": _uart_key(board, uart, "name"),
        "BOARD_UART_BASE": hex(_uart_key(board, uart, "base")),
        "BOARD_UART_TX_PORT": tx_port,
        "BOARD_UART_TX_PIN": tx_pin,
        "BOARD_UART_ALTERNATE_FUNCTION": _uart_key(board, uart, "alternate_function"),
    }
    if board.core.model.locks_cycle_counter:
        values["BOARD_LOCKS_CYCLE_COUNTER"] = "ON"
    marker = board.tables.get("marker", {}).get("pin")
    if marker is not None:
        port, pin = _pin(board, "marker.pin", marker)
        values |= {"BOARD_HAS_MARKER": "ON", "BOARD_MARKER_PORT": port, "BOARD_MARKER_PIN": pin}
    return "".join(f'set({name} "{value}")\n' for name, value in values.items())


def _uart_key(board: Board, uart: Any, key: str) -> Any:
    if key not in uart:
        raise BoardError(f"board {board.name}: uart.{key} is missing; the firmware needs it")
    return uart[key]


def _pin(board: Board, key: str, value: Any) -> tuple[int, int]:
    """(port, pin) of a name such as PD8; port 0 is GPIOA."""
    match = re.fullmatch(r"P([A-K])(\d|1[0-5])", str(value))
    if match is None:
        raise BoardError(f"board {board.name}: {key} is {value!r}, not a pin such as 'PD8'")
    return ord(match[1]) - ord("A"), int(match[2])
