/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise addition, int8. See mn_nnfunctions.h. */
#include "mn_add.h"
#include "mn_nnfunctions.h"

mn_status mn_elementwise_add_s8(const mn_add_params *add_params, const int8_t *input1,
                                const int8_t *input2, int8_t *output, int32_t block_size)
{
    if (!mn_is_addition(add_params, input1, input2, output, block_size, 8))
    {
        return MN_ARG_ERROR;
    }
    const mn_adder adder = mn_make_adder(add_params);
    for (int32_t i = 0; i < block_size; ++i)
    {
        output[i] = (int8_t)mn_add_elements(&adder, input1[i], input2[i]);
    }
    return MN_SUCCESS;
}
