/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise addition, packed int4. See mn_nnfunctions.h. */
#include "mn_add.h"
#include "mn_nnfunctions.h"
#include "mn_packing.h"

mn_status mn_elementwise_add_s4(const mn_add_params *add_params, const uint8_t *input1,
                                const uint8_t *input2, uint8_t *output, int32_t block_size)
{
    if (!mn_is_addition(add_params, input1, input2, output, block_size, 4))
    {
        return MN_ARG_ERROR;
    }
    const mn_adder adder = mn_make_adder(add_params);
    /* Both elements of a byte are read before it is written: the output may be an input. */
    uint8_t byte = 0;
    for (int32_t i = 0; i < block_size; ++i)
    {
        const int32_t sum = mn_add_elements(&adder, mn_get_s4(input1, i), mn_get_s4(input2, i));
        byte = (uint8_t)(i & 1 ? byte | (sum & 0xF) << 4 : sum & 0xF);
        if ((i & 1) || i == block_size - 1)
        {
            output[i >> 1] = byte;
        }
    }
    return MN_SUCCESS;
}
