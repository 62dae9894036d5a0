// SPDX-License-Identifier: Apache-2.0
// Reports a fault or a stack overflow over the UART.
#ifndef SRC_FAULT_H_
#define SRC_FAULT_H_

// A jump that reaches all of flash: `b` of Armv6-M goes 2 KB far.
#if __ARM_ARCH == 6
#define FAR_JUMP "bl"
#else
#define FAR_JUMP "b"
#endif

// Handler of all fault exceptions; does not return.
void fault_entry(void);

#endif  // SRC_FAULT_H_
