// SPDX-License-Identifier: Apache-2.0
// TFLM's log lines become messages; the figures in them that no API tells are picked out.
#ifndef RUNNER_LOG_SINK_H_
#define RUNNER_LOG_SINK_H_

#include <cstddef>
#include <cstdint>

namespace log_sink {

// While tensors are allocated, the first line that tells of a failed allocation ends the program
// with an `allocation_failed` message: this TFLM may crash on what follows.
void ExpectAllocationFailures(bool expect);

struct ArenaCapture {
  uint32_t head_bytes;
  uint32_t tail_bytes;
};
// Between the two, lines with head and tail usage are captured and not sent.
void StartArenaCapture();
ArenaCapture FinishArenaCapture();

[[noreturn]] void FailAllocation(uint32_t requested_bytes, uint32_t available_bytes,
                                 uint32_t missing_bytes);

}  // namespace log_sink

#endif  // RUNNER_LOG_SINK_H_
