// SPDX-License-Identifier: Apache-2.0
// CRC-32 as in zlib (reflected polynomial 0xEDB88320).
#ifndef SRC_CRC32_H_
#define SRC_CRC32_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// `crc` is 0 for the first part, then the result of the part before, as in zlib's crc32().
uint32_t crc32_update(uint32_t crc, const void* data, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif  // SRC_CRC32_H_
