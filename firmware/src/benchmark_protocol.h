// SPDX-License-Identifier: Apache-2.0
// Messages from the firmware to the host: lines of text with a sequence number and a CRC-32.
// PROTOCOL.md defines them; predictor/firmware/protocol.py reads them.
#ifndef SRC_BENCHMARK_PROTOCOL_H_
#define SRC_BENCHMARK_PROTOCOL_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PROTOCOL_VERSION 1

// A message is begun, gets its fields in order, and is ended. Beginning one while another is open
// (after a fault) breaks the open line off; its CRC is missing, so the host drops it.
void message_begin(const char* type);
void message_u32(const char* key, uint32_t value);
void message_i32(const char* key, int32_t value);
// Eight hexadecimal digits.
void message_hex(const char* key, uint32_t value);
// Bytes outside the printable set are sent as %XX; cut after `max_bytes`.
void message_text(const char* key, const char* text, size_t max_bytes);
void message_bytes(const char* key, const void* data, size_t bytes);
void message_end(void);

// One `data` message per 64 bytes of a buffer, each with its offset.
void send_data(const char* owner, uint32_t run, uint32_t index, const void* data, size_t bytes);

// The last message: how the run ended and how many messages came before. Then runner_done().
__attribute__((noreturn)) void finish(const char* status);
// Sends `failed` with a reason that the host knows (PROTOCOL.md) and finishes.
__attribute__((noreturn)) void fail(const char* reason, uint32_t value);

// Where an emulator stops: the program is over, all characters are out.
void runner_done(void);

#ifdef __cplusplus
}
#endif

#endif  // SRC_BENCHMARK_PROTOCOL_H_
