/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_add.h"

#include "mn_arguments.h"

#define MN_MAX_LEFT_SHIFT 20

int32_t mn_is_addition(const mn_add_params *params, const void *input1, const void *input2,
                       const void *output, int32_t count, int32_t bits)
{
    return params != NULL && input1 != NULL && input2 != NULL && output != NULL && count >= 0 &&
           mn_is_input_offset(params->input1_offset, bits) &&
           mn_is_input_offset(params->input2_offset, bits) &&
           mn_is_value(params->output_offset, bits) && params->left_shift >= 0 &&
           params->left_shift <= MN_MAX_LEFT_SHIFT && params->input1_shift <= 0 &&
           params->input1_shift >= -31 && params->input2_shift <= 0 &&
           params->input2_shift >= -31 && params->output_shift <= 0 &&
           params->output_shift >= -31 && params->input1_multiplier >= 0 &&
           params->input2_multiplier >= 0 && params->output_multiplier >= 0 &&
           mn_is_activation(&params->activation, bits);
}
