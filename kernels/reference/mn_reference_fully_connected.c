/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_reference.h"

void mn_reference_fully_connected(int32_t input_bits, int32_t weight_bits,
                                  const mn_fc_params *params, const mn_quant_params *quant_params,
                                  const mn_dims *input_dims, const void *input,
                                  const mn_dims *filter_dims, const void *filter,
                                  const int32_t *bias, const mn_dims *output_dims, void *output)
{
    const int32_t depth = filter_dims->h * filter_dims->w * filter_dims->c;
    const int32_t rows = output_dims->c;
    (void)input_dims;
    for (int32_t index = 0; index < output_dims->n * rows; ++index)
    {
        const int32_t row = index % rows;
        const int32_t batch = index / rows;
        uint32_t sum = bias ? (uint32_t)bias[row] : 0;
        for (int32_t i = 0; i < depth; ++i)
        {
            const int32_t value = mn_reference_get(input_bits, input, batch * depth + i);
            const int32_t weight = mn_reference_get(weight_bits, filter, row * depth + i);
            sum += (uint32_t)((value + params->input_offset) * weight);
        }
        const int32_t quant = quant_params->is_per_channel ? row : 0;
        const int32_t scaled = mn_reference_scale((int32_t)sum, quant_params->multiplier[quant],
                                                  quant_params->shift[quant]);
        const int32_t value = (int32_t)((uint32_t)scaled + (uint32_t)params->output_offset);
        mn_reference_put(input_bits, output, index,
                         mn_reference_limit(value, &params->activation));
    }
}
