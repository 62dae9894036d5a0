// SPDX-License-Identifier: Apache-2.0
// Symbols of the linker script and what start-up knows.
#ifndef SRC_STARTUP_H_
#define SRC_STARTUP_H_

#include <stdint.h>

#include "ports/port.h"

#ifdef __cplusplus
extern "C" {
#endif

extern uint8_t __stack_start[], __stack_end[];
extern uint8_t __data_start[], __data_end[], __data_load[];
extern uint8_t __bss_start[], __bss_end[];
extern uint8_t __ram_start[], __ram_end[], __free_ram_start[];
extern uint8_t __blobs_start[], __flash_end[];

#define STACK_PAINT 0xC5u
// Addresses below RAM that the memory protection unit forbids.
#define STACK_GUARD_BYTES 0x1000000u

// Clocks that start-up reached.
extern Clocks clocks;

int main(void);

#ifdef __cplusplus
}
#endif

#endif  // SRC_STARTUP_H_
