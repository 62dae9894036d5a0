/* SPDX-License-Identifier: Apache-2.0 */
// Marker pin: a push-pull output. RM0390 7.4, RM0385 6.4.
#include "board.h"
#include "ports/stm32/stm32.h"

#ifdef BOARD_HAS_MARKER

void marker_setup(void) {
  enum { kOutput = 1 };
  RCC_AHB1ENR |= 1u << BOARD_MARKER_PORT;
  (void)RCC_AHB1ENR;  // the clock takes two bus cycles to reach the port
  marker_write(false);
  const uint32_t field = 2 * BOARD_MARKER_PIN;
  GPIO_MODER(BOARD_MARKER_PORT) = (GPIO_MODER(BOARD_MARKER_PORT) & ~(3u << field)) | kOutput << field;
}

void marker_write(bool is_high) {
  GPIO_BSRR(BOARD_MARKER_PORT) = 1u << (BOARD_MARKER_PIN + (is_high ? 0u : 16u));
}

#else

void marker_setup(void) {}
void marker_write(bool is_high) { (void)is_high; }

#endif
