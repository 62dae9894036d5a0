/* SPDX-License-Identifier: Apache-2.0 */
#include "src/benchmark_protocol.h"

#include <stdbool.h>
#include <string.h>

#include "ports/port.h"
#include "src/crc32.h"
#include "src/stack.h"

static struct {
  uint32_t crc;
  uint32_t sequence;
  bool open;
} line;

static void put(char character) {
  line.crc = crc32_update(line.crc, &character, 1);
  uart_write(character);
}

static void put_text(const char* text) {
  for (; *text != '\0'; ++text) put(*text);
}

static void put_hex(uint32_t value, int digits) {
  while (digits-- > 0) put("0123456789ABCDEF"[value >> 4 * digits & 15]);
}

static void put_decimal(uint32_t value) {
  char digits[10];
  int count = 0;
  do {
    digits[count++] = (char)('0' + value % 10);
    value /= 10;
  } while (value != 0);
  while (count > 0) put(digits[--count]);
}

static void put_key(const char* key) {
  put(' ');
  put_text(key);
  put('=');
}

void message_begin(const char* type) {
  if (line.open) uart_write('\n');
  line.open = true;
  line.crc = 0;
  put('@');
  put_decimal(PROTOCOL_VERSION);
  put(' ');
  put_decimal(line.sequence++);
  put(' ');
  put_text(type);
}

void message_u32(const char* key, uint32_t value) {
  put_key(key);
  put_decimal(value);
}

void message_i32(const char* key, int32_t value) {
  put_key(key);
  if (value < 0) put('-');
  put_decimal(value < 0 ? 0u - (uint32_t)value : (uint32_t)value);
}

void message_hex(const char* key, uint32_t value) {
  put_key(key);
  put_hex(value, 8);
}

static bool is_plain(char character) {
  return character > ' ' && character < 0x7F && strchr("%*@=", character) == NULL;
}

void message_text(const char* key, const char* text, size_t max_bytes) {
  put_key(key);
  for (; *text != '\0' && max_bytes > 0; ++text, --max_bytes) {
    if (is_plain(*text)) {
      put(*text);
    } else {
      put('%');
      put_hex((uint8_t)*text, 2);
    }
  }
}

void message_bytes(const char* key, const void* data, size_t bytes) {
  const uint8_t* byte = (const uint8_t*)data;
  put_key(key);
  for (; bytes > 0; --bytes, ++byte) put_hex(*byte, 2);
}

void message_end(void) {
  uint32_t crc = line.crc;
  put('*');
  put_hex(crc, 8);
  uart_write('\n');
  line.open = false;
}

void send_data(const char* owner, uint32_t run, uint32_t index, const void* data, size_t bytes) {
  const size_t kChunkBytes = 64;
  for (size_t offset = 0; offset < bytes; offset += kChunkBytes) {
    size_t left = bytes - offset;
    message_begin("data");
    message_text("of", owner, 16);
    message_u32("run", run);
    message_u32("index", index);
    message_u32("offset", offset);
    message_bytes("hex", (const uint8_t*)data + offset, left < kChunkBytes ? left : kChunkBytes);
    message_end();
  }
}

void finish(const char* status) {
  message_begin("stack");
  message_u32("capacity_bytes", stack_capacity_bytes());
  message_u32("used_bytes", stack_used_bytes());
  message_end();
  uint32_t messages = line.sequence;
  message_begin("end");
  message_text("status", status, 16);
  message_u32("messages", messages);
  message_end();
  uart_flush();
  for (;;) runner_done();
}

void fail(const char* reason, uint32_t value) {
  message_begin("failed");
  message_text("reason", reason, 32);
  message_u32("value", value);
  message_end();
  finish("failed");
}

__attribute__((noinline, used)) void runner_done(void) { __asm volatile("wfi" ::: "memory"); }
