// SPDX-License-Identifier: Apache-2.0
#include "runner/log_sink.h"

#include <cstring>

#include "runner/tflm_api.h"
#include "src/benchmark_protocol.h"
#include "tensorflow/lite/micro/debug_log.h"
#if __has_include("tensorflow/lite/micro/micro_interpreter_graph.h")
#include <cstdio>
#endif

namespace log_sink {
namespace {

constexpr size_t kLineBytes = 256;  // TFLM formats into as many

char line[kLineBytes];
size_t line_length = 0;
bool expects_allocation_failures = false;
bool captures_arena = false;
ArenaCapture capture;

// The decimal number behind `label`, if the line has one.
bool NumberBehind(const char* label, uint32_t* number) {
  const char* digit = std::strstr(line, label);
  if (digit == nullptr) return false;
  digit += std::strlen(label);
  if (*digit < '0' || *digit > '9') return false;
  for (*number = 0; *digit >= '0' && *digit <= '9'; ++digit) {
    *number = *number * 10 + static_cast<uint32_t>(*digit - '0');
  }
  return true;
}

void CheckAllocation() {
  uint32_t requested = 0, available = 0, missing = 0, buffers = 0;
  if (NumberBehind("missing: ", &missing)) {
    NumberBehind("Requested: ", &requested);
    // The line's own "available" wraps below zero where alignment takes more than is left.
    FailAllocation(requested, requested > missing ? requested - missing : 0, missing);
  }
  if (NumberBehind("Needed ", &requested) && NumberBehind("but only ", &available)) {
    FailAllocation(requested, available, requested - available);
  }
  if (NumberBehind("Too many buffers (max is ", &buffers)) {
    const uint32_t bytes_per_buffer = tflite::GreedyMemoryPlanner::per_buffer_size();
    available = buffers * bytes_per_buffer;
    FailAllocation(available + bytes_per_buffer, available, bytes_per_buffer);
  }
}

void EndLine() {
  line[line_length] = '\0';
  if (line_length == 0) return;
  line_length = 0;
  if (captures_arena) {
    NumberBehind("Head usage: ", &capture.head_bytes);
    NumberBehind("Tail usage: ", &capture.tail_bytes);
    return;
  }
  message_begin("log");
  message_text("text", line, kLineBytes);
  message_end();
  if (expects_allocation_failures) CheckAllocation();
}

void Write(const char* text) {
  for (; *text != '\0'; ++text) {
    if (*text == '\n' || line_length == kLineBytes - 1) EndLine();
    if (*text != '\n' && *text != '\r') line[line_length++] = *text;
  }
}

}  // namespace

void ExpectAllocationFailures(bool expect) { expects_allocation_failures = expect; }

void StartArenaCapture() {
  captures_arena = true;
  capture = {};
}

ArenaCapture FinishArenaCapture() {
  captures_arena = false;
  return capture;
}

void FailAllocation(uint32_t requested_bytes, uint32_t available_bytes, uint32_t missing_bytes) {
  message_begin("allocation_failed");
  message_u32("requested_bytes", requested_bytes);
  message_u32("available_bytes", available_bytes);
  message_u32("missing_bytes", missing_bytes);
  message_end();
  finish("failed");
}

}  // namespace log_sink

// Linkage is as TFLM's header declares it, which differs.
#if __has_include("tensorflow/lite/micro/micro_interpreter_graph.h")
// Current TFLM hands over format and arguments. Both functions are defined, or the library's own
// would be linked beside this one.
int DebugVsnprintf(char* buffer, size_t buffer_bytes, const char* format, va_list args) {
  return std::vsnprintf(buffer, buffer_bytes, format, args);
}
void DebugLog(const char* format, va_list args) {
  char text[log_sink::kLineBytes];
  std::vsnprintf(text, sizeof(text), format, args);
  log_sink::Write(text);
}
#else
void DebugLog(const char* text) { log_sink::Write(text); }
#endif
