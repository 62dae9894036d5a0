/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_arguments.h"

int32_t mn_count_elements(const mn_dims *dims)
{
    return mn_product_of(dims);
}

int mn_is_window(int32_t input, int32_t output, int32_t kernel, int32_t stride, int32_t padding,
                 int32_t dilation)
{
    const int32_t margin = 2 * MN_MAX_STEP;
    int32_t last;
    int32_t reach;
    return stride >= 1 && stride <= MN_MAX_STEP && dilation >= 1 && dilation <= MN_MAX_STEP &&
           padding >= 0 && padding <= MN_MAX_STEP &&
           !__builtin_mul_overflow(output - 1, stride, &last) &&
           !__builtin_mul_overflow(kernel - 1, dilation, &reach) &&
           !__builtin_add_overflow(last, reach, &last) && last <= INT32_MAX - margin &&
           input <= INT32_MAX - margin;
}
