# SPDX-License-Identifier: Apache-2.0
# What CMake compiles for this port.
set(PORT_SOURCES
  ports/dwt.c
  ports/stm32/clock.c ports/stm32/uart_pins.c ports/stm32/marker_pin.c
  ports/stm32f7/flash.c ports/stm32f7/uart.c)
