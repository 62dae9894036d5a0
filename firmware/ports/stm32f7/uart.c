/* SPDX-License-Identifier: Apache-2.0 */
// USART of the STM32F7: RM0385 chapter 31. Its clock after reset is APB1 (RCC_DCKCFGR2).
#include "board.h"
#include "ports/stm32/stm32.h"

#define USART_CR1 REGISTER(BOARD_UART_BASE + 0x00)
#define USART_BRR REGISTER(BOARD_UART_BASE + 0x0C)
#define USART_ISR REGISTER(BOARD_UART_BASE + 0x1C)
#define USART_TDR REGISTER(BOARD_UART_BASE + 0x28)
enum { UE = 1u << 0, TE = 1u << 3, TC = 1u << 6, TXE = 1u << 7 };

void uart_setup(uint32_t uart_hz) {
  uart_connect();
  USART_BRR = (uart_hz + UART_BAUD / 2) / UART_BAUD;
  USART_CR1 = UE | TE;
}

void uart_write(char character) {
  while (!(USART_ISR & TXE)) {
  }
  USART_TDR = (uint8_t)character;
}

void uart_flush(void) {
  while (!(USART_ISR & TC)) {
  }
}
