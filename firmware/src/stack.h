// SPDX-License-Identifier: Apache-2.0
// The stack is painted at start; the deepest byte that lost its paint is the high-water mark.
#ifndef SRC_STACK_H_
#define SRC_STACK_H_

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

uint32_t stack_capacity_bytes(void);
uint32_t stack_used_bytes(void);
// Whether `address` lies on the stack with room for `bytes` above it.
bool stack_holds(uint32_t address, uint32_t bytes);
// Whether `address` lies in the span below the stack that an overflow reaches first.
bool stack_overflow_reaches(uint32_t address);

#ifdef __cplusplus
}
#endif

#endif  // SRC_STACK_H_
