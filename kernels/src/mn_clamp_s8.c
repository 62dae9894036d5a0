/* SPDX-License-Identifier: Apache-2.0 */
/* Clamp (ReLU, ReLU6 and others in quantised values), int8. See mn_nnfunctions.h. */
#include "mn_arguments.h"
#include "mn_nnfunctions.h"
#include "mn_packing.h"
#include "mn_requantize.h"

mn_status mn_clamp_s8(const mn_activation *activation, const int8_t *input, int8_t *output,
                      int32_t block_size)
{
    if (activation == NULL || input == NULL || output == NULL || block_size < 0 ||
        !mn_is_activation(activation, 8))
    {
        return MN_ARG_ERROR;
    }
    const uint32_t lows = mn_bytes(activation->min);
    const uint32_t highs = mn_bytes(activation->max);
    for (; block_size >= 4; block_size -= 4, input += 4, output += 4)
    {
        mn_write_u32(output, mn_min_s8x4(mn_max_s8x4(mn_read_u32(input), lows), highs));
    }
    for (; block_size > 0; --block_size)
    {
        *output++ = (int8_t)mn_clamp(*input++, activation->min, activation->max);
    }
    return MN_SUCCESS;
}
