#include "kernel_runner/case_reader.h"

#include <string.h>

#include "src/crc32.h"
#include "src/ram_span.h"

// Painted bytes on both sides of each buffer in RAM: a kernel that writes there is caught. Each
// buffer has a paint of its own, so that copying one fence into another shows too.
#define FENCE_BYTES 32
static uint8_t paint_of(uint32_t buffer) { return (uint8_t)(0xA5u ^ buffer); }

static bool is_malformed(const KernelCase* c, uint32_t room_bytes) {
  const CaseHeader* header = c->header;
  if (room_bytes < sizeof(CaseHeader) || header->record_bytes > room_bytes) return true;
  if (header->record_bytes < sizeof(CaseHeader) || header->record_bytes % 16 != 0) return true;
  if (header->argument_count > kMaxArguments || header->buffer_count > kMaxBuffers) return true;
  uint32_t tables = sizeof(CaseHeader) + header->argument_count * sizeof(CaseArgument) +
                    header->buffer_count * sizeof(CaseBuffer);
  if (tables > header->record_bytes) return true;
  if (header->pointer_count > (header->record_bytes - tables) / sizeof(CasePointer)) return true;
  for (uint32_t i = 0; i < header->buffer_count; ++i) {
    const CaseBuffer* buffer = &c->buffers[i];
    if (buffer->alignment == 0 || (buffer->alignment & (buffer->alignment - 1)) != 0) return true;
    if (!(buffer->flags & (CASE_IN_FLASH | CASE_HAS_DATA))) continue;
    if (buffer->data_offset > header->record_bytes) return true;
    if (buffer->bytes > header->record_bytes - buffer->data_offset) return true;
  }
  for (uint32_t i = 0; i < header->argument_count; ++i) {
    const uint32_t buffer = c->arguments[i].buffer;
    if (buffer != CASE_NO_BUFFER && buffer >= header->buffer_count) return true;
  }
  for (uint32_t i = 0; i < header->pointer_count; ++i) {
    const CasePointer* pointer = &c->pointers[i];
    if (pointer->buffer >= header->buffer_count) return true;
    if (pointer->target_buffer >= header->buffer_count) return true;
    const CaseBuffer* buffer = &c->buffers[pointer->buffer];
    if (buffer->flags & CASE_IN_FLASH) return true;
    if (buffer->bytes < 4 || pointer->offset > buffer->bytes - 4) return true;
  }
  return false;
}

static uint8_t* place(RamSpan* ram, const CaseHeader* header, const CaseBuffer* buffer,
                      uint8_t paint) {
  if (buffer->flags & CASE_IN_FLASH) return (uint8_t*)header + buffer->data_offset;
  size_t front = (FENCE_BYTES + buffer->alignment - 1) & ~(size_t)(buffer->alignment - 1);
  uint8_t* start =
      ram_take(ram, front + buffer->misalignment + buffer->bytes + FENCE_BYTES, buffer->alignment);
  if (start == NULL) return NULL;
  uint8_t* address = start + front + buffer->misalignment;
  memset(address - FENCE_BYTES, paint, buffer->bytes + 2 * FENCE_BYTES);
  if (buffer->flags & CASE_HAS_DATA) {
    memcpy(address, (const uint8_t*)header + buffer->data_offset, buffer->bytes);
  }
  return address;
}

static void fill_arguments(KernelCase* c) {
  for (uint32_t i = 0; i < c->header->pointer_count; ++i) {
    const CasePointer* pointer = &c->pointers[i];
    uint32_t target = (uint32_t)c->addresses[pointer->target_buffer] + pointer->target_offset;
    memcpy(c->addresses[pointer->buffer] + pointer->offset, &target, sizeof(target));
  }
  for (uint32_t i = 0; i < c->header->argument_count; ++i) {
    const CaseArgument* argument = &c->arguments[i];
    bool is_number = argument->buffer == CASE_NO_BUFFER;
    uint32_t base = is_number ? 0 : (uint32_t)c->addresses[argument->buffer];
    c->argument_words[i] = base + argument->value;
  }
}

CaseState case_prepare(const CaseHeader* header, uint32_t room_bytes, KernelCase* kernel_case) {
  KernelCase* c = kernel_case;
  c->header = header;
  c->arguments = (const CaseArgument*)(header + 1);
  if (room_bytes < sizeof(CaseHeader)) return CASE_MALFORMED;
  c->buffers = (const CaseBuffer*)(c->arguments + header->argument_count);
  c->pointers = (const CasePointer*)(c->buffers + header->buffer_count);
  if (is_malformed(c, room_bytes)) return CASE_MALFORMED;
  RamSpan ram = ram_span();
  for (uint32_t i = 0; i < header->buffer_count; ++i) {
    c->addresses[i] = place(&ram, header, &c->buffers[i], paint_of(i));
    if (c->addresses[i] == NULL) return CASE_RAM_FULL;
  }
  fill_arguments(c);
  return CASE_READY;
}

uint32_t case_buffer_crc(const KernelCase* kernel_case, uint32_t buffer) {
  return crc32_update(0, kernel_case->addresses[buffer], kernel_case->buffers[buffer].bytes);
}

static bool is_fence(const uint8_t* start, uint8_t paint) {
  for (size_t i = 0; i < FENCE_BYTES; ++i) {
    if (start[i] != paint) return false;
  }
  return true;
}

int32_t case_first_overrun(const KernelCase* kernel_case) {
  for (uint32_t i = 0; i < kernel_case->header->buffer_count; ++i) {
    const CaseBuffer* buffer = &kernel_case->buffers[i];
    if (buffer->flags & CASE_IN_FLASH) continue;
    const uint8_t* address = kernel_case->addresses[i];
    if (!is_fence(address - FENCE_BYTES, paint_of(i))) return (int32_t)i;
    if (!is_fence(address + buffer->bytes, paint_of(i))) return (int32_t)i;
  }
  return -1;
}
