/* SPDX-License-Identifier: Apache-2.0 */
// Clock tree: 8 MHz from the ST-LINK (bypass), else the internal 16 MHz, through the PLL in
// over-drive mode. Order of the steps: RM0390 5.1.4 and RM0385 4.1.4, "Entering Over-drive mode".
#include <stdbool.h>

#include "board.h"
#include "ports/stm32/stm32.h"

#define HSI_HZ 16000000u
#define HSE_HZ 8000000u
#define PLL_INPUT_HZ 2000000u  // RM0390 6.3.2: 2 MHz is recommended, it limits jitter
#define PLL_OUTPUT_DIVIDER 2u
#define PLL_MULTIPLIER (BOARD_CLOCK_HZ * PLL_OUTPUT_DIVIDER / PLL_INPUT_HZ)
#define APB1_DIVIDER 4u

_Static_assert(BOARD_CLOCK_HZ % 1000000u == 0, "the PLL multiplies to whole MHz");
_Static_assert(PLL_MULTIPLIER >= 50 && PLL_MULTIPLIER <= 216, "PLL: VCO outside 100 to 432 MHz");

enum {
  HSION = 1u << 0, HSIRDY = 1u << 1, HSEON = 1u << 16, HSERDY = 1u << 17, HSEBYP = 1u << 18,
  PLLON = 1u << 24, PLLRDY = 1u << 25,
  PLLSRC_HSE = 1u << 22,
  PWREN = 1u << 28,
  VOS_SCALE_1 = 3u << 14, ODEN = 1u << 16, ODSWEN = 1u << 17,
  ODRDY = 1u << 16, ODSWRDY = 1u << 17,
  SW_MASK = 3u << 0, SW_PLL = 2u << 0, SWS_MASK = 3u << 2, SWS_PLL = 2u << 2,
  PPRE1_DIV4 = 5u << 10, PPRE2_DIV2 = 4u << 13,
};

// The crystal-less HSE is there at once, the PLL locks in under 300 us, over-drive in about 40 us;
// this many reads at 16 MHz last over 50 ms.
static bool wait_for(volatile uint32_t* address, uint32_t mask, uint32_t wanted) {
  for (uint32_t attempt = 0; attempt < 200000; ++attempt) {
    if ((*address & mask) == wanted) return true;
  }
  return false;
}

static void pll_configure(bool from_hse) {
  uint32_t input_divider = (from_hse ? HSE_HZ : HSI_HZ) / PLL_INPUT_HZ;
  uint32_t usb_divider = 9;  // 48 MHz at 216 MHz; USB is not used
  RCC_PLLCFGR = input_divider | PLL_MULTIPLIER << 6 | (PLL_OUTPUT_DIVIDER / 2 - 1) << 16 |
                (from_hse ? PLLSRC_HSE : 0) | usb_divider << 24 | 2u << 28;
}

static bool over_drive(void) {
  PWR_CR |= ODEN;
  if (!wait_for(&PWR_CSR, ODRDY, ODRDY)) return false;
  PWR_CR |= ODSWEN;
  return wait_for(&PWR_CSR, ODSWRDY, ODSWRDY);
}

static bool pll_start(void) {
  RCC_CR |= PLLON;
  if (!over_drive() || !wait_for(&RCC_CR, PLLRDY, PLLRDY)) return false;
  flash_setup();
  RCC_CFGR = (RCC_CFGR & ~SW_MASK) | PPRE1_DIV4 | PPRE2_DIV2 | SW_PLL;
  return wait_for(&RCC_CFGR, SWS_MASK, SWS_PLL);
}

Clocks clock_setup(void) {
  RCC_APB1ENR |= PWREN;
  (void)RCC_APB1ENR;  // the clock takes two bus cycles to reach the peripheral
  PWR_CR |= VOS_SCALE_1;
  RCC_CR |= HSEBYP;
  RCC_CR |= HSEON;
  bool from_hse = wait_for(&RCC_CR, HSERDY, HSERDY);
  pll_configure(from_hse);
  if (!pll_start()) {
    return (Clocks){.core_hz = HSI_HZ, .uart_hz = HSI_HZ, .source = "hsi"};
  }
  return (Clocks){.core_hz = BOARD_CLOCK_HZ,
                  .uart_hz = BOARD_CLOCK_HZ / APB1_DIVIDER,
                  .source = from_hse ? "hse" : "hsi_pll"};
}
