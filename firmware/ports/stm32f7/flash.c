/* SPDX-License-Identifier: Apache-2.0 */
// Flash interface of the STM32F7 (RM0385 3.7.1) and the caches of the Cortex-M7 (Armv7-M
// architecture reference manual, B2.2.7 and B3.2).
#include "board.h"
#include "ports/stm32/stm32.h"

void flash_setup(void) {
  enum { kPrefetch = 1u << 8, kAccelerator = 1u << 9 };
  FLASH_ACR = BOARD_FLASH_WAIT_STATES | kPrefetch | kAccelerator;
  (void)FLASH_ACR;
}

#define SCB_CCR REGISTER(0xE000ED14u)
#define SCB_CCSIDR REGISTER(0xE000ED80u)
#define SCB_CSSELR REGISTER(0xE000ED84u)
#define SCB_ICIALLU REGISTER(0xE000EF50u)
#define SCB_DCISW REGISTER(0xE000EF60u)

static void barriers(void) { __asm volatile("dsb\n\tisb" ::: "memory"); }

// The content of the caches is unknown after reset; each line is invalidated by set and way.
static void data_cache_invalidate(void) {
  SCB_CSSELR = 0;  // level 1, data
  barriers();
  const uint32_t geometry = SCB_CCSIDR;
  const uint32_t sets = (geometry >> 13 & 0x7FFF) + 1;
  const uint32_t ways = (geometry >> 3 & 0x3FF) + 1;
  for (uint32_t set = 0; set < sets; ++set) {
    for (uint32_t way = 0; way < ways; ++way) {
      SCB_DCISW = way << 30 | set << 5;  // 32-byte lines, 4 ways
    }
  }
}

void cache_setup(void) {
  enum { kDataCache = 1u << 16, kInstructionCache = 1u << 17 };
  barriers();
  SCB_ICIALLU = 0;
  barriers();
  SCB_CCR |= kInstructionCache;
  barriers();
  data_cache_invalidate();
  barriers();
  SCB_CCR |= kDataCache;
  barriers();
}
