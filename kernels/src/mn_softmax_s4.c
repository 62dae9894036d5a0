/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax of packed int4 rows to int8 probabilities. See mn_nnfunctions.h. */
#include "mn_nnfunctions.h"
#include "mn_packing.h"
#include "mn_softmax.h"

static void mn_softmax_row(const mn_softmax_scaling *scaling, const uint8_t *input, int32_t row,
                           int32_t row_size, int8_t *output)
{
    int32_t maximum = -8;
    int32_t sum = 0;
    for (int32_t i = 0; i < row_size; ++i)
    {
        const int32_t value = mn_get_s4(input, row * row_size + i);
        maximum = value > maximum ? value : maximum;
    }
    for (int32_t i = 0; i < row_size; ++i)
    {
        const int32_t difference = mn_get_s4(input, row * row_size + i) - maximum;
        if (difference >= scaling->diff_min)
        {
            sum = mn_softmax_add(sum, mn_softmax_exp(scaling, difference));
        }
    }
    const mn_softmax_divisor divisor = mn_softmax_divide(sum);
    for (int32_t i = 0; i < row_size; ++i)
    {
        const int32_t difference = mn_get_s4(input, row * row_size + i) - maximum;
        output[row * row_size + i] = INT8_MIN;
        if (difference >= scaling->diff_min)
        {
            const int32_t exponential = mn_softmax_exp(scaling, difference);
            output[row * row_size + i] = (int8_t)mn_softmax_output(&divisor, exponential);
        }
    }
}

mn_status mn_softmax_s4(const uint8_t *input, int32_t num_rows, int32_t row_size, int32_t mult,
                        int32_t shift, int32_t diff_min, int8_t *output)
{
    const mn_softmax_scaling scaling = {mult, shift, diff_min};
    if (!mn_is_softmax(input, num_rows, row_size, &scaling, output))
    {
        return MN_ARG_ERROR;
    }
    for (int32_t row = 0; row < num_rows; ++row)
    {
        mn_softmax_row(&scaling, input, row, row_size, output);
    }
    return MN_SUCCESS;
}
