/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copying, filling, clamping, packing and unpacking of int8 and packed int4 elements.
 *
 * Positions in int4 tensors are element indices: element i is the low (i even) or high (i odd)
 * nibble of byte i / 2, flat over the whole tensor, as TFLite packs INT4.
 */
#ifndef MN_PACKING_H
#define MN_PACKING_H

#include "mn_intrinsics.h"
#include "mn_types.h"

MN_INLINE int32_t mn_get_s4(const uint8_t *data, int32_t index)
{
    const int32_t nibble = (data[index >> 1] >> (4 * (index & 1))) & 0xF;
    return (nibble ^ 8) - 8;
}

MN_INLINE void mn_put_s4(uint8_t *data, int32_t index, int32_t value)
{
    const int32_t shift = 4 * (index & 1);
    const uint32_t kept = data[index >> 1] & (0xF0u >> shift);
    data[index >> 1] = (uint8_t)(kept | (((uint32_t)value & 0xFu) << shift));
}

/* The value in each of four bytes. */
MN_INLINE uint32_t mn_bytes(int32_t value)
{
    return ((uint32_t)value & 0xFFu) * 0x01010101u;
}

/* Puts elements in ascending order: an even one clears the nibble of the next. */
MN_INLINE void mn_append_s4(uint8_t *data, int32_t index, int32_t value)
{
    const uint8_t nibble = (uint8_t)(value & 0xF);
    data[index >> 1] = index & 1 ? (uint8_t)(data[index >> 1] | (nibble << 4)) : nibble;
}

/* Copies `count` elements between element indices; the regions must not overlap. */
typedef void mn_copy(void *destination, int32_t to, const void *source, int32_t from,
                     int32_t count);

mn_copy mn_copy_s8;
mn_copy mn_copy_s4;
mn_copy mn_unpack_s4; /* packed int4 to one byte per element, MN_NIBBLE_BIAS added */

/* Flipping a nibble's sign bit adds 8 and leaves 0 .. 15: cheaper than extending its sign. */
#define MN_NIBBLE_BIAS 8

/* Sets `count` elements from `to` on. */
typedef void mn_fill(void *destination, int32_t to, int32_t value, int32_t count);

mn_fill mn_fill_s8;
mn_fill mn_fill_s4;

/* Applies the activation to `count` int8 results and puts them at element `to` of the output. */
typedef void mn_finish(void *output, int32_t to, int8_t *values, int32_t count,
                       const mn_activation *activation);

mn_finish mn_finish_s8; /* values are already in place, at output + to */
mn_finish mn_finish_s4; /* packs; when to + count is odd, the last high nibble becomes 0 */

#endif
