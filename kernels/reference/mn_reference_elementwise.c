/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_reference.h"

void mn_reference_add(int32_t bits, const mn_add_params *params, const void *input1,
                      const void *input2, void *output, int32_t count)
{
    for (int32_t i = 0; i < count; ++i)
    {
        const int32_t value1 = mn_reference_get(bits, input1, i) + params->input1_offset;
        const int32_t value2 = mn_reference_get(bits, input2, i) + params->input2_offset;
        const int32_t factor = 1 << params->left_shift;
        const int32_t scaled1 = mn_reference_scale(value1 * factor, params->input1_multiplier,
                                                   params->input1_shift);
        const int32_t scaled2 = mn_reference_scale(value2 * factor, params->input2_multiplier,
                                                   params->input2_shift);
        const int32_t sum = mn_reference_scale(scaled1 + scaled2, params->output_multiplier,
                                               params->output_shift);
        mn_reference_put(bits, output, i,
                         mn_reference_limit(sum + params->output_offset, &params->activation));
    }
}

void mn_reference_clamp(int32_t bits, const mn_activation *activation, const void *input,
                        void *output, int32_t count)
{
    for (int32_t i = 0; i < count; ++i)
    {
        const int32_t value = mn_reference_get(bits, input, i);
        mn_reference_put(bits, output, i, mn_reference_limit(value, activation));
    }
}

void mn_reference_requantize(int32_t input_bits, int32_t output_bits, int32_t input_offset,
                             int32_t multiplier, int32_t shift, int32_t output_offset,
                             const void *input, void *output, int32_t count)
{
    const int32_t highest = output_bits == 8 ? 127 : 7;
    const mn_activation range = {-highest - 1, highest};
    for (int32_t i = 0; i < count; ++i)
    {
        const int32_t value = mn_reference_get(input_bits, input, i) + input_offset;
        const int32_t scaled = mn_reference_scale(value, multiplier, shift);
        const int32_t shifted = (int32_t)((uint32_t)scaled + (uint32_t)output_offset);
        mn_reference_put(output_bits, output, i, mn_reference_limit(shifted, &range));
    }
}

void mn_reference_lookup(int32_t bits, const int8_t *table, const void *input, void *output,
                         int32_t count)
{
    for (int32_t i = 0; i < count; ++i)
    {
        const int32_t value = mn_reference_get(bits, input, i);
        mn_reference_put(bits, output, i, table[value < 0 ? value + 256 : value]);
    }
}
