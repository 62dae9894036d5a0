/* SPDX-License-Identifier: Apache-2.0 */
/* Product of two int8 tensors. See mn_nnfunctions.h. */
#include "mn_arguments.h"
#include "mn_broadcast.h"
#include "mn_nnfunctions.h"
#include "mn_requantize.h"

static int mn_is_product(const mn_mul_params *params)
{
    return params != NULL && mn_is_input_offset(params->input1_offset, 8) &&
           mn_is_input_offset(params->input2_offset, 8) && mn_is_value(params->output_offset, 8) &&
           params->multiplier >= 0 && params->shift >= -31 && params->shift <= 30 &&
           mn_is_activation(&params->activation, 8);
}

static void mn_mul_run(const void *params, const int8_t *input1, int32_t step1,
                       const int8_t *input2, int32_t step2, int8_t *output, int32_t count)
{
    const mn_mul_params mul = *(const mn_mul_params *)params;
    for (const int8_t *const end = output + count; output != end; ++output)
    {
        const int32_t product = (*input1 + mul.input1_offset) * (*input2 + mul.input2_offset);
        const int32_t value =
            mn_requantize_s8_inline(product, mul.multiplier, mul.shift, mul.output_offset);
        *output = (int8_t)mn_clamp(value, mul.activation.min, mul.activation.max);
        input1 += step1;
        input2 += step2;
    }
}

mn_status mn_mul_s8(const mn_mul_params *params, const mn_dims *input1_dims, const int8_t *input1,
                    const mn_dims *input2_dims, const int8_t *input2, const mn_dims *output_dims,
                    int8_t *output)
{
    if (!mn_is_product(params) ||
        !mn_is_broadcast(input1_dims, input1, input2_dims, input2, output_dims, output))
    {
        return MN_ARG_ERROR;
    }
    mn_run_broadcast(mn_mul_run, params, input1_dims, input1, input2_dims, input2, output_dims,
                     output);
    return MN_SUCCESS;
}
