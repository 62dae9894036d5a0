/* SPDX-License-Identifier: Apache-2.0 */
// USART of the STM32F4: RM0390 chapter 25.
#include "board.h"
#include "ports/stm32/stm32.h"

#define USART_SR REGISTER(BOARD_UART_BASE + 0x00)
#define USART_DR REGISTER(BOARD_UART_BASE + 0x04)
#define USART_BRR REGISTER(BOARD_UART_BASE + 0x08)
#define USART_CR1 REGISTER(BOARD_UART_BASE + 0x0C)
enum { TE = 1u << 3, UE = 1u << 13, TC = 1u << 6, TXE = 1u << 7 };

void uart_setup(uint32_t uart_hz) {
  uart_connect();
  USART_BRR = (uart_hz + UART_BAUD / 2) / UART_BAUD;
  USART_CR1 = UE | TE;
}

void uart_write(char character) {
  while (!(USART_SR & TXE)) {
  }
  USART_DR = (uint8_t)character;
}

void uart_flush(void) {
  while (!(USART_SR & TC)) {
  }
}
