// SPDX-License-Identifier: Apache-2.0
// The free span of RAM behind .bss, handed out from its low end.
#ifndef SRC_RAM_SPAN_H_
#define SRC_RAM_SPAN_H_

#include <stddef.h>
#include <stdint.h>

#include "src/startup.h"

typedef struct {
  uint8_t* next;
  uint8_t* end;
} RamSpan;

static inline RamSpan ram_span(void) {
  RamSpan span = {__free_ram_start, __ram_end};
  return span;
}

// Null if the rest is too small. `alignment` is a power of two.
static inline void* ram_take(RamSpan* span, size_t bytes, size_t alignment) {
  uintptr_t start = ((uintptr_t)span->next + alignment - 1) & ~(uintptr_t)(alignment - 1);
  if (start > (uintptr_t)span->end || (uintptr_t)span->end - start < bytes) return NULL;
  span->next = (uint8_t*)(start + bytes);
  return (void*)start;
}

static inline size_t ram_left_bytes(const RamSpan* span, size_t alignment) {
  uintptr_t start = ((uintptr_t)span->next + alignment - 1) & ~(uintptr_t)(alignment - 1);
  return start > (uintptr_t)span->end ? 0 : (uintptr_t)span->end - start;
}

#endif  // SRC_RAM_SPAN_H_
