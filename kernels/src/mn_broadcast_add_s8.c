/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of two int8 tensors of which one is repeated. See mn_nnfunctions.h. */
#include "mn_add.h"
#include "mn_broadcast.h"
#include "mn_nnfunctions.h"

static void mn_broadcast_add_run(const void *params, const int8_t *input1, int32_t step1,
                                 const int8_t *input2, int32_t step2, int8_t *output, int32_t count)
{
    const mn_adder adder = mn_make_adder(params);
    for (const int8_t *const end = output + count; output != end; ++output)
    {
        *output = (int8_t)mn_add_elements(&adder, *input1, *input2);
        input1 += step1;
        input2 += step2;
    }
}

mn_status mn_broadcast_add_s8(const mn_add_params *params, const mn_dims *input1_dims,
                              const int8_t *input1, const mn_dims *input2_dims,
                              const int8_t *input2, const mn_dims *output_dims, int8_t *output)
{
    if (!mn_is_addition(params, input1, input2, output, 0, 8) ||
        !mn_is_broadcast(input1_dims, input1, input2_dims, input2, output_dims, output))
    {
        return MN_ARG_ERROR;
    }
    mn_run_broadcast(mn_broadcast_add_run, params, input1_dims, input1, input2_dims, input2,
                     output_dims, output);
    return MN_SUCCESS;
}
