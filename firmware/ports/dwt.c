/* SPDX-License-Identifier: Apache-2.0 */
// DWT cycle counter: Armv7-M architecture reference manual, C1.6.5 and C1.8.
#include "board.h"
#include "ports/port.h"

void cycle_counter_setup(void) {
  enum { kTraceEnable = 1u << 24, kCountEnable = 1u << 0 };
  REGISTER(0xE000EDFCu) |= kTraceEnable;  // DEMCR
#ifdef BOARD_LOCKS_CYCLE_COUNTER
  REGISTER(0xE0001FB0u) = 0xC5ACCE55u;  // this core locks the unit's registers
#endif
  REGISTER(0xE0001004u) = 0;
  REGISTER(0xE0001000u) |= kCountEnable;
}
