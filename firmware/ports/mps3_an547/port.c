/* SPDX-License-Identifier: Apache-2.0 */
// QEMU's machine mps3-an547: its first UART and the system counter of its subsystem, at their secure
// addresses. Registers: Arm CMSDK technical reference manual, 4.3, and Arm SSE-123 technical reference
// manual, system counter.
#include "board.h"
#include "ports/port.h"

#define UART(offset) REGISTER(BOARD_UART_BASE + (offset))
#define COUNTER(offset) REGISTER(0x58100000u + (offset))

Clocks clock_setup(void) {
  return (Clocks){.core_hz = BOARD_CLOCK_HZ, .uart_hz = BOARD_CLOCK_HZ, .source = "emulator"};
}

void flash_setup(void) {}
void cache_setup(void) {}

void uart_setup(uint32_t uart_hz) {
  enum { kTransmit = 1u << 0, kSmallestDivider = 16 };
  (void)uart_hz;
  UART(0x10) = kSmallestDivider;
  UART(0x08) = kTransmit;
}

void uart_write(char character) {
  enum { kTransmitterFull = 1u << 0 };
  while (UART(0x04) & kTransmitterFull) {
  }
  UART(0x00) = (uint8_t)character;
}

void uart_flush(void) {}

void marker_setup(void) {}
void marker_write(bool is_high) { (void)is_high; }

// An instruction takes 32 ns (port.toml: icount_shift), in which the counter's clock of 32 MHz ticks
// 1.024 times: scaled by 1/1.024, a number with 24 bits behind the point, it counts instructions.
void cycle_counter_setup(void) {
  enum { kEnable = 1u << 0, kScale = 1u << 2, kInstructionsPerTick = 16384000 };
  COUNTER(0x10) = kInstructionsPerTick;
  COUNTER(0x00) = kEnable | kScale;
}
