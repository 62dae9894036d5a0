"""The board's description as the firmware's build reads it."""

from __future__ import annotations

from predictor.boards.board import Board
from predictor.escapes import c_string, cmake_string
from predictor.firmware.ports import port_of, uart_of


def board_file(board: Board) -> str:
    """The board's description as CMake variables.

    Raises:
        BoardError: it has a UART of an unknown kind, or lacks what the firmware needs of it.
    """
    uart = uart_of(board)
    flash, ram = board.spans("flash")[0], board.spans("sram")[0]
    values: dict[str, str | int] = {
        "BOARD_NAME": c_string(board.name),
        "BOARD_CORE": c_string(board.core.name),
        "CORE_FLAGS": ";".join(board.core.model.program_flags),
        "BOARD_PORT": port_of(board).name,
        "BOARD_CLOCK_HZ": board.core.clock_hz,
        "BOARD_FLASH_WAIT_STATES": board.core.flash_wait_states,
        "BOARD_FLASH_BASE": hex(flash.regions[0].base),
        "BOARD_FLASH_BYTES": flash.size_bytes,
        "BOARD_RAM_BASE": hex(ram.regions[0].base),
        "BOARD_RAM_BYTES": ram.size_bytes,
        "BOARD_CYCLE_COUNTER": hex(port_of(board).cycle_counter),
        "BOARD_UART_NAME": c_string(uart.name),
        "BOARD_UART_BASE": hex(uart.base),
    }
    if uart.tx_pin is not None and uart.alternate_function is not None:
        values |= {
            "BOARD_HAS_UART_PIN": "ON",
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
