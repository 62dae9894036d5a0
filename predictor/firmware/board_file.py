"""The board's description as the firmware's build reads it."""

from __future__ import annotations

from predictor.boards.board import Board
from predictor.errors import BoardError
from predictor.escapes import c_string, cmake_string

_PORTS = {"f4": "stm32f4", "f7": "stm32f7"}


def board_file(board: Board) -> str:
    """The board's description as CMake variables.

    Raises:
        BoardError: it has no UART, or one of an unknown kind.
    """
    uart = board.uart
    if uart is None:
        raise BoardError(f"board {board.name}: the table uart is missing; the firmware needs it")
    if uart.generation not in _PORTS:
        raise BoardError(
            f"board {board.name}: uart.generation is {uart.generation!r}; the firmware has ports "
            f"for {', '.join(_PORTS)}"
        )
    flash, ram = board.spans("flash")[0], board.spans("sram")[0]
    values: dict[str, str | int] = {
        "BOARD_NAME": c_string(board.name),
        "BOARD_CORE": c_string(board.core.name),
        "CORE_FLAGS": ";".join(board.core.model.compiler_flags),
        "BOARD_PORT": _PORTS[uart.generation],
        "BOARD_CLOCK_HZ": board.core.clock_hz,
        "BOARD_FLASH_WAIT_STATES": board.core.flash_wait_states,
        "BOARD_FLASH_BASE": hex(flash.regions[0].base),
        "BOARD_FLASH_BYTES": flash.size_bytes,
        "BOARD_RAM_BASE": hex(ram.regions[0].base),
        "BOARD_RAM_BYTES": ram.size_bytes,
        "BOARD_UART_NAME": c_string(uart.name),
        "BOARD_UART_BASE": hex(uart.base),
        "BOARD_UART_TX_PORT": uart.tx_pin.port,
        "BOARD_UART_TX_PIN": uart.tx_pin.number,
        "BOARD_UART_ALTERNATE_FUNCTION": uart.alternate_function,
    }
    if board.core.model.locks_cycle_counter:
        values["BOARD_LOCKS_CYCLE_COUNTER"] = "ON"
    if board.marker is not None:
        values |= {
            "BOARD_HAS_MARKER": "ON",
            "BOARD_MARKER_PORT": board.marker.port,
            "BOARD_MARKER_PIN": board.marker.number,
        }
    return "".join(f'set({name} "{cmake_string(str(value))}")\n' for name, value in values.items())
