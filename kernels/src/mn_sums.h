/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of channels for average pooling. */
#ifndef MN_SUMS_H
#define MN_SUMS_H

#include "mn_intrinsics.h"
#include "mn_types.h"

/* As many int8 as int16 lanes can sum. */
#define MN_MOST_TAPS 255

/* Adds `taps` quads of channels to the sums. */
MN_INLINE void mn_add_quads(const int8_t *input, int32_t taps, int32_t channels,
                            int32_t sums[4])
{
    uint32_t even = 0;
    uint32_t odd = 0;
    for (const int8_t *const end = input + taps * channels; input != end; input += channels)
    {
        const uint32_t values = mn_read_u32(input);
        even = mn_sxtab16(even, values);
        odd = mn_sxtab16_ror8(odd, values);
    }
    sums[0] += (int16_t)(uint16_t)(even & 0xFFFFu);
    sums[1] += (int16_t)(uint16_t)(odd & 0xFFFFu);
    sums[2] += (int16_t)(uint16_t)(even >> 16);
    sums[3] += (int16_t)(uint16_t)(odd >> 16);
}

/*
 * Average pooling of a whole image that comes row by row: the sums of its channels, then their
 * averages over `count` pixels. Rows of int4 are whole bytes.
 */
void mn_sum_pixels_s8(const void *input, int32_t pixels, int32_t channels, int32_t *sums);
void mn_sum_pixels_s4(const void *input, int32_t pixels, int32_t channels, int32_t *sums);
void mn_average_sums_s8(const int32_t *sums, int32_t channels, int32_t count,
                        const mn_activation *activation, void *output);
void mn_average_sums_s4(const int32_t *sums, int32_t channels, int32_t count,
                        const mn_activation *activation, void *output);

#endif
