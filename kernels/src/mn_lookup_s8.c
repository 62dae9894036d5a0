/* SPDX-License-Identifier: Apache-2.0 */
/* An int8 function of one int8 value by a table. See mn_nnfunctions.h. */
#include "mn_nnfunctions.h"

mn_status mn_lookup_s8(const int8_t *table, const int8_t *input, int8_t *output,
                       int32_t block_size)
{
    if (table == NULL || input == NULL || output == NULL || block_size < 0)
    {
        return MN_ARG_ERROR;
    }
    for (const int8_t *const end = input + (block_size & ~3); input != end; input += 4, output += 4)
    {
        const int8_t first = table[(uint8_t)input[0]];
        const int8_t second = table[(uint8_t)input[1]];
        const int8_t third = table[(uint8_t)input[2]];
        const int8_t fourth = table[(uint8_t)input[3]];
        output[0] = first;
        output[1] = second;
        output[2] = third;
        output[3] = fourth;
    }
    for (int32_t i = 0; i < (block_size & 3); ++i)
    {
        output[i] = table[(uint8_t)input[i]];
    }
    return MN_SUCCESS;
}
