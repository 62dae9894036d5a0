/* SPDX-License-Identifier: Apache-2.0 */
/* int8 to packed int4 with another scale and zero point. See mn_nnfunctions.h. */
#include "mn_arguments.h"
#include "mn_nnfunctions.h"
#include "mn_packing.h"
#include "mn_requantize.h"

mn_status mn_requantize_s8_s4(const mn_requantize_params *params, const int8_t *input,
                              uint8_t *output, int32_t block_size)
{
    if (params == NULL || input == NULL || output == NULL || block_size < 0 ||
        !mn_is_input_offset(params->input_offset, 8) || !mn_is_value(params->output_offset, 4) ||
        params->multiplier < 0 || params->shift < -31 || params->shift > 30)
    {
        return MN_ARG_ERROR;
    }
    for (int32_t i = 0; i < block_size; ++i)
    {
        const int32_t scaled =
            mn_requantize(input[i] + params->input_offset, params->multiplier, params->shift);
        mn_append_s4(output, i, mn_clamp(mn_add_wrapping(scaled, params->output_offset), -8, 7));
    }
    return MN_SUCCESS;
}
