/* SPDX-License-Identifier: Apache-2.0 */
// Any Cortex-M, in emulation only: the core runs at the clock of the board's description, and what
// is written to the register of the emulators' UART is sent. Nothing of the chip is touched.
#include "ports/port.h"

#include "board.h"

Clocks clock_setup(void) {
  return (Clocks){.core_hz = BOARD_CLOCK_HZ, .uart_hz = BOARD_CLOCK_HZ, .source = "emulator"};
}

void flash_setup(void) {}
void cache_setup(void) {}

void uart_setup(uint32_t uart_hz) { (void)uart_hz; }
void uart_write(char character) { REGISTER(BOARD_UART_BASE) = (uint8_t)character; }
void uart_flush(void) {}

void marker_setup(void) {}
void marker_write(bool is_high) { (void)is_high; }
