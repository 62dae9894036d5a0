/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling of a whole image of packed int4 that comes row by row. See mn_sums.h. */
#include "mn_packing.h"
#include "mn_pooling.h"
#include "mn_requantize.h"
#include "mn_sums.h"

void mn_sum_pixels_s4(const void *input, int32_t pixels, int32_t channels, int32_t *sums)
{
    for (int32_t pixel = 0, element = 0; pixel < pixels; ++pixel)
    {
        for (int32_t channel = 0; channel < channels; ++channel, ++element)
        {
            const int32_t value = mn_get_s4(input, element);
            sums[channel] += value;
        }
    }
}

void mn_average_sums_s4(const int32_t *sums, int32_t channels, int32_t count,
                        const mn_activation *activation, void *output)
{
    for (int32_t channel = 0; channel < channels; ++channel)
    {
        const int32_t value = mn_average(sums[channel], count >> 1, count);
        mn_append_s4(output, channel, mn_clamp(value, activation->min, activation->max));
    }
}
