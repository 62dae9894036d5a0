// SPDX-License-Identifier: Apache-2.0
// The memory that TFLM gets.
#ifndef RUNNER_ARENA_H_
#define RUNNER_ARENA_H_

#include <stdint.h>

namespace runner {

struct Arena {
  uint8_t* start;
  uint32_t bytes;
};

// Without a persistent arena (0 bytes) the other one holds everything.
struct Arenas {
  Arena nonpersistent;
  Arena persistent;

  uint32_t bytes() const { return nonpersistent.bytes + persistent.bytes; }
};

}  // namespace runner

#endif  // RUNNER_ARENA_H_
