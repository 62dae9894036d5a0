/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_reference.h"

void mn_reference_mean(int32_t bits, const mn_requantize_params *params, int32_t outer,
                       int32_t reduced, int32_t inner, const void *input, void *output)
{
    const mn_activation range = {-(1 << (bits - 1)), (1 << (bits - 1)) - 1};
    for (int32_t i = 0; i < outer * inner; ++i)
    {
        int32_t sum = 0;
        for (int32_t tap = 0; tap < reduced; ++tap)
        {
            const int32_t index = (i / inner * reduced + tap) * inner + i % inner;
            sum += mn_reference_get(bits, input, index) + params->input_offset;
        }
        const int32_t scaled = mn_reference_scale(sum, params->multiplier, params->shift);
        const int32_t shifted = (int32_t)((uint32_t)scaled + (uint32_t)params->output_offset);
        mn_reference_put(bits, output, i, mn_reference_limit(shifted, &range));
    }
}
