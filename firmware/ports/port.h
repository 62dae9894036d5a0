// SPDX-License-Identifier: Apache-2.0
// What a port gives to the programs: registers, clock, UART, cycle counter.
#ifndef PORTS_PORT_H_
#define PORTS_PORT_H_

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REGISTER(address) (*(volatile uint32_t*)(address))

typedef struct {
  uint32_t core_hz;
  uint32_t uart_hz;    // clock of the UART's bus (APB1)
  const char* source;  // "hse", "hsi_pll", "hsi" (the PLL did not start) or "emulator"
} Clocks;

// Brings the core to BOARD_CLOCK_HZ. Never hangs: each wait is bounded, and the clocks that were
// reached are returned.
Clocks clock_setup(void);

// Before the clock rises: flash wait states and accelerator; then the caches of cores with caches.
void flash_setup(void);
void cache_setup(void);

// 115200 baud, 8 data bits, no parity, 1 stop bit on the ST-LINK's virtual COM port, transmit only.
void uart_setup(uint32_t uart_hz);
void uart_write(char character);
// Waits until the last character has left the shift register.
void uart_flush(void);

// A pin that is high while Invoke runs, for instruments that record the board's current. Nothing on
// boards whose description names none.
void marker_setup(void);
void marker_write(bool is_high);

// The counter that the port has: cycles, or instructions in an emulator that executes one in each.
// Wraps after 2^32.
void cycle_counter_setup(void);
extern const volatile uint32_t cycle_count_register;  // linker.ld.in says where
static inline uint32_t cycle_counter(void) {
  uint32_t count = cycle_count_register;
  __asm volatile("" ::: "memory");
  return count;
}

#ifdef __cplusplus
}
#endif

#endif  // PORTS_PORT_H_
