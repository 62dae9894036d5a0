// Runs the kernel cases that the host placed in flash and reports status, count and checksums
// (PROTOCOL.md). The same image serves emulators and boards.
#include <string.h>

#include "board.h"
#include "kernel_runner/case_reader.h"
#include "kernel_runner/kernel_table.h"
#include "ports/port.h"
#include "src/benchmark_protocol.h"
#include "src/blob.h"
#include "src/crc32.h"
#include "src/startup.h"

extern const KernelEntry __kernel_table_start[], __kernel_table_end[];

enum { kMaxNameBytes = 64 };

static void send_hello(void) {
  message_begin("hello");
  message_text("program", "kernel_runner", kMaxNameBytes);
  message_text("firmware", FIRMWARE_ID, kMaxNameBytes);
  message_text("board", BOARD_NAME, kMaxNameBytes);
  message_text("core", BOARD_CORE, kMaxNameBytes);
  message_u32("clock_hz", clocks.core_hz);
  message_text("clock_source", clocks.source, kMaxNameBytes);
  message_u32("free_ram_bytes", (uint32_t)(__ram_end - __free_ram_start));
  message_u32("kernel_count", (uint32_t)(__kernel_table_end - __kernel_table_start));
  message_end();
}

static const KernelEntry* find_kernel(uint32_t name_crc) {
  for (const KernelEntry* entry = __kernel_table_start; entry < __kernel_table_end; ++entry) {
    if (crc32_update(0, entry->name, strlen(entry->name)) == name_crc) return entry;
  }
  return NULL;
}

static void send_skipped(const CaseHeader* header, const char* reason) {
  message_begin("kernel_skipped");
  message_u32("case", header->case_id);
  message_hex("kernel", header->kernel);
  message_text("reason", reason, kMaxNameBytes);
  message_end();
}

// Index of the first checked buffer with another checksum than expected, or -1.
static int32_t first_mismatch(const KernelCase* c) {
  for (uint32_t i = 0; i < c->header->buffer_count; ++i) {
    if (!(c->buffers[i].flags & CASE_CHECKED)) continue;
    if (case_buffer_crc(c, i) != c->buffers[i].expected_crc) return (int32_t)i;
  }
  return -1;
}

static void send_result(const KernelCase* c, const char* name, int32_t status, uint32_t cyccnt) {
  const int32_t mismatch = first_mismatch(c);
  const int32_t overrun = case_first_overrun(c);
  const bool passed = status == c->header->expected_status && mismatch < 0 && overrun < 0;
  message_begin("kernel");
  message_u32("case", c->header->case_id);
  message_text("name", name, kMaxNameBytes);
  message_i32("status", status);
  message_u32("cyccnt", cyccnt);
  message_u32("passed", passed);
  message_i32("mismatch", mismatch);
  message_i32("overrun", overrun);
  message_end();
  for (uint32_t i = 0; c->header->send_outputs && i < c->header->buffer_count; ++i) {
    if (!(c->buffers[i].flags & CASE_CHECKED)) continue;
    send_data("kernel", c->header->case_id, i, c->addresses[i], c->buffers[i].bytes);
  }
}

static void run_case(const CaseHeader* header, uint32_t room_bytes) {
  static KernelCase c;
  const CaseState state = case_prepare(header, room_bytes, &c);
  if (state == CASE_MALFORMED) fail("case_malformed", header->case_id);
  if (state == CASE_RAM_FULL) {
    send_skipped(header, "ram_full");
    return;
  }
  const KernelEntry* kernel = find_kernel(header->kernel);
  if (kernel == NULL) {
    send_skipped(header, "kernel_missing");
    return;
  }
  const uint32_t started = cycle_counter();
  const int32_t status = kernel->call(c.argument_words);
  const uint32_t taken = cycle_counter() - started;
  send_result(&c, kernel->name, status, taken);
}

int main(void) {
  send_hello();
  BlobReader blobs = blob_reader();
  const BlobHeader* cases = blob_next(&blobs, BLOB_CASES);
  if (cases == NULL) fail("cases_missing", 0);
  uint32_t offset = 0;
  while (offset < cases->payload_bytes) {
    const CaseHeader* header = (const CaseHeader*)(blob_payload(cases) + offset);
    run_case(header, cases->payload_bytes - offset);
    offset += header->record_bytes;
  }
  return 0;
}
