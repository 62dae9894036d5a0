/* SPDX-License-Identifier: Apache-2.0 */
/* Clamp (ReLU, ReLU6 and others in quantised values), packed int4. See mn_nnfunctions.h. */
#include "mn_arguments.h"
#include "mn_nnfunctions.h"
#include "mn_packing.h"
#include "mn_requantize.h"

mn_status mn_clamp_s4(const mn_activation *activation, const uint8_t *input, uint8_t *output,
                      int32_t block_size)
{
    if (activation == NULL || input == NULL || output == NULL || block_size < 0 ||
        !mn_is_activation(activation, 4))
    {
        return MN_ARG_ERROR;
    }
    for (int32_t i = 0; i < block_size; i += 2)
    {
        const int32_t low = mn_clamp(mn_get_s4(input, i), activation->min, activation->max);
        const int32_t high =
            i + 1 < block_size
                ? mn_clamp(mn_get_s4(input, i + 1), activation->min, activation->max)
                : 0;
        output[i >> 1] = (uint8_t)((low & 0xF) | ((high & 0xF) << 4));
    }
    return MN_SUCCESS;
}
