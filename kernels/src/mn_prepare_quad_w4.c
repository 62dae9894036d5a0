/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_depthwise.h"

/* Up to four nibbles from nibble `first` on, without reading a byte that holds none of them. */
MN_INLINE uint32_t mn_read_quad(const uint8_t *filter, int32_t first, int32_t lanes)
{
    const uint8_t *const weights = filter + (first >> 1);
    const int32_t end = (first & 1) + lanes;
    uint32_t word = weights[0];
    if (end > 2)
    {
        word |= (uint32_t)weights[1] << 8;
    }
    if (end > 4)
    {
        word |= (uint32_t)weights[2] << 16;
    }
    return (word >> (4 * (first & 1))) & 0xFFFFu;
}

uint32_t *mn_prepare_quad_w4(uint32_t *pairs, int32_t bias[4], const void *filter, int32_t first,
                             int32_t channels, int32_t taps, int32_t lanes, int32_t offset)
{
    const uint32_t factor = (uint32_t)offset;
    int32_t sum0 = bias[0], sum1 = bias[1], sum2 = bias[2], sum3 = bias[3];
    for (; taps > 0; --taps, first += channels, pairs += 2)
    {
        uint32_t word = mn_read_quad(filter, first, lanes) ^ 0x8888u;
        word = (word | (word << 8)) & 0x00FF00FFu;
        /* Nibbles with their sign bits flipped are the weights plus 8. */
        pairs[0] = mn_uxtab16(0xFFF8FFF8u, word & 0x000F000Fu);
        pairs[1] = mn_uxtab16(0xFFF8FFF8u, (word >> 4) & 0x000F000Fu);
        sum0 = mn_smlabb(pairs[0], factor, sum0);
        sum1 = mn_smlabb(pairs[1], factor, sum1);
        sum2 = mn_smlatb(pairs[0], factor, sum2);
        sum3 = mn_smlatb(pairs[1], factor, sum3);
    }
    bias[0] = sum0;
    bias[1] = sum1;
    bias[2] = sum2;
    bias[3] = sum3;
    return pairs;
}
