// SPDX-License-Identifier: Apache-2.0
// Blobs that the host writes into flash behind the code: model and inputs.
#ifndef SRC_BLOB_H_
#define SRC_BLOB_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BLOB_VERSION 1
#define BLOB_MODEL 0x4C444F4Du   // "MODL"; parameter 0: arena bytes, 0 for all free RAM
#define BLOB_INPUT 0x54504E49u   // "INPT"; the bytes of all input tensors, in order
#define BLOB_ARENAS 0x414E5241u  // "ARNA"; where the arenas lie: an ArenaPlace for each
#define BLOB_LAYERS 0x5259414Cu  // "LAYR"; what to send of the arena: a LayerPlace for each part

typedef struct {
  uint32_t magic;
  uint16_t version;
  uint16_t header_bytes;
  uint32_t payload_bytes;
  uint32_t crc32;  // of the header's other bytes, then the payload
  uint32_t parameters[4];
} BlobHeader;

// A span of RAM for an arena; with the address 0, of the RAM that the program leaves. One is for all
// of TFLM's memory; of two the first is for the non-persistent part, the second for the persistent.
typedef struct {
  uint32_t address;
  uint32_t bytes;
} ArenaPlace;

// Bytes of the arena (the non-persistent one of two) that are sent after an operator of subgraph 0.
typedef struct {
  uint32_t operator_index;
  uint32_t offset;
  uint32_t bytes;
} LayerPlace;

// The blobs follow each other, each at the next multiple of 16 bytes.
typedef struct {
  const uint8_t* next;
} BlobReader;

BlobReader blob_reader(void);
// The next blob if it is of this kind, else null. A blob that is cut off or altered ends the
// program with a message.
const BlobHeader* blob_next(BlobReader* reader, uint32_t magic);
static inline const uint8_t* blob_payload(const BlobHeader* header) {
  return (const uint8_t*)header + header->header_bytes;
}

#ifdef __cplusplus
}
#endif

#endif  // SRC_BLOB_H_
