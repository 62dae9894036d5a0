/* SPDX-License-Identifier: Apache-2.0 */
// Flash interface of the STM32F4: RM0390 3.8.1. No core caches.
#include "board.h"
#include "ports/stm32/stm32.h"

void flash_setup(void) {
  enum { kPrefetch = 1u << 8, kInstructionCache = 1u << 9, kDataCache = 1u << 10 };
  FLASH_ACR = BOARD_FLASH_WAIT_STATES | kPrefetch | kInstructionCache | kDataCache;
  (void)FLASH_ACR;
}

void cache_setup(void) {}
