/* SPDX-License-Identifier: Apache-2.0 */
// Clock and transmit pin of the UART behind the ST-LINK's virtual COM port.
#include "board.h"
#include "ports/stm32/stm32.h"

// RM0390 6.3.13, RM0385 5.3.13: USART2 and USART3 hang on APB1.
#define USART2_BASE 0x40004400u
#define USART3_BASE 0x40004800u
_Static_assert(BOARD_UART_BASE == USART2_BASE || BOARD_UART_BASE == USART3_BASE,
               "only USART2 and USART3 are wired to the ST-LINK of these boards");
#define UART_ENABLE_BIT (BOARD_UART_BASE == USART2_BASE ? 17u : 18u)

void uart_connect(void) {
  enum { kAlternate = 2, kHighSpeed = 2 };
  const uint32_t port = BOARD_UART_TX_PORT;
  const uint32_t pin = BOARD_UART_TX_PIN;
  RCC_AHB1ENR |= 1u << port;
  RCC_APB1ENR |= 1u << UART_ENABLE_BIT;
  (void)RCC_APB1ENR;
  const uint32_t nibble = 4 * (pin % 8);
  GPIO_AFR(port, pin / 8) =
      (GPIO_AFR(port, pin / 8) & ~(15u << nibble)) | BOARD_UART_ALTERNATE_FUNCTION << nibble;
  GPIO_OSPEEDR(port) = (GPIO_OSPEEDR(port) & ~(3u << 2 * pin)) | kHighSpeed << 2 * pin;
  GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << 2 * pin)) | kAlternate << 2 * pin;
}
