/* SPDX-License-Identifier: Apache-2.0 */
#include "src/blob.h"

#include <stddef.h>
#include <stdbool.h>

#include "src/benchmark_protocol.h"
#include "src/crc32.h"
#include "src/startup.h"

_Static_assert(sizeof(BlobHeader) == 32, "layout is shared with the host");

BlobReader blob_reader(void) { return (BlobReader){__blobs_start}; }

static uint32_t blob_crc(const BlobHeader* header) {
  uint32_t crc = crc32_update(0, header, offsetof(BlobHeader, crc32));
  crc = crc32_update(crc, header->parameters, sizeof(header->parameters));
  return crc32_update(crc, blob_payload(header), header->payload_bytes);
}

// Unwritten flash reads as one repeated byte; a long tail of it means that the blob was cut off.
static uint32_t blank_tail_bytes(const uint8_t* payload, uint32_t bytes) {
  uint32_t blank = 0;
  while (blank < bytes && payload[bytes - 1 - blank] == payload[bytes - 1]) ++blank;
  return blank;
}

static void check(const BlobHeader* header) {
  const uint32_t room_bytes = (uint32_t)(__flash_end - blob_payload(header));
  const bool fits = header->payload_bytes <= room_bytes;
  const uint32_t crc = fits ? blob_crc(header) : 0;
  if (fits && crc == header->crc32) return;
  message_begin("blob_damaged");
  message_hex("magic", header->magic);
  message_u32("payload_bytes", header->payload_bytes);
  message_u32("room_bytes", room_bytes);
  message_u32("blank_tail_bytes",
              fits ? blank_tail_bytes(blob_payload(header), header->payload_bytes) : 0);
  message_hex("expected_crc", header->crc32);
  message_hex("crc", crc);
  message_end();
  finish("failed");
}

const BlobHeader* blob_next(BlobReader* reader, uint32_t magic) {
  if (reader->next + sizeof(BlobHeader) > __flash_end) return NULL;
  const BlobHeader* header = (const BlobHeader*)reader->next;
  if (header->magic != magic) return NULL;
  if (header->version != BLOB_VERSION || header->header_bytes < sizeof(BlobHeader)) {
    fail("blob_version", header->version);
  }
  check(header);
  uint32_t end = (uint32_t)blob_payload(header) + header->payload_bytes;
  reader->next = (const uint8_t*)((end + 15) & ~15u);
  return header;
}
