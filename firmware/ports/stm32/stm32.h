// SPDX-License-Identifier: Apache-2.0
// Peripherals that the STM32F4 and STM32F7 share. Addresses and bits: RM0390 (F446), RM0385 (F746),
// RM0410 (F767), chapters PWR, RCC, GPIO.
#ifndef PORTS_STM32_STM32_H_
#define PORTS_STM32_STM32_H_

#include "ports/port.h"

#define RCC_BASE 0x40023800u
#define RCC_CR REGISTER(RCC_BASE + 0x00)
#define RCC_PLLCFGR REGISTER(RCC_BASE + 0x04)
#define RCC_CFGR REGISTER(RCC_BASE + 0x08)
#define RCC_AHB1ENR REGISTER(RCC_BASE + 0x30)
#define RCC_APB1ENR REGISTER(RCC_BASE + 0x40)

#define PWR_BASE 0x40007000u
#define PWR_CR REGISTER(PWR_BASE + 0x00)   // CR on F4, CR1 on F7: the bits used are the same
#define PWR_CSR REGISTER(PWR_BASE + 0x04)  // CSR on F4, CSR1 on F7

#define FLASH_ACR REGISTER(0x40023C00u)

#define GPIO_BASE(port) (0x40020000u + 0x400u * (port))
#define GPIO_MODER(port) REGISTER(GPIO_BASE(port) + 0x00)
#define GPIO_OSPEEDR(port) REGISTER(GPIO_BASE(port) + 0x08)
#define GPIO_BSRR(port) REGISTER(GPIO_BASE(port) + 0x18)
#define GPIO_AFR(port, half) REGISTER(GPIO_BASE(port) + 0x20 + 4 * (half))

#define UART_BAUD 115200u

// Switches on the UART's clock and routes its transmit pin.
void uart_connect(void);

#endif  // PORTS_STM32_STM32_H_
