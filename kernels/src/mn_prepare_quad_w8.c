/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_depthwise.h"

uint32_t *mn_prepare_quad_w8(uint32_t *pairs, int32_t bias[4], const void *filter, int32_t first,
                             int32_t channels, int32_t taps, int32_t lanes, int32_t offset)
{
    const int8_t *weights = (const int8_t *)filter + first;
    const uint32_t factor = (uint32_t)offset;
    int32_t sum0 = bias[0], sum1 = bias[1], sum2 = bias[2], sum3 = bias[3];
    for (; taps > 0; --taps, weights += channels, pairs += 2)
    {
        uint32_t word = 0;
        if (lanes == 4)
        {
            word = mn_read_u32(weights);
        }
        else
        {
            for (int32_t lane = 0; lane < lanes; ++lane)
            {
                word |= (uint32_t)(uint8_t)weights[lane] << (8 * lane);
            }
        }
        pairs[0] = mn_sxtb16(word);
        pairs[1] = mn_sxtb16_ror8(word);
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
