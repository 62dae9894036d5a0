/* SPDX-License-Identifier: Apache-2.0 */
#include "src/stack.h"

#include "src/startup.h"

uint32_t stack_capacity_bytes(void) { return (uint32_t)(__stack_end - __stack_start); }

uint32_t stack_used_bytes(void) {
  const uint8_t* lowest = __stack_start;
  while (lowest < __stack_end && *lowest == STACK_PAINT) ++lowest;
  return (uint32_t)(__stack_end - lowest);
}

bool stack_holds(uint32_t address, uint32_t bytes) {
  return address >= (uint32_t)__stack_start && address + bytes <= (uint32_t)__stack_end;
}

bool stack_overflow_reaches(uint32_t address) {
  uint32_t start = (uint32_t)__stack_start;
  return address < start && start - address <= STACK_GUARD_BYTES;
}
