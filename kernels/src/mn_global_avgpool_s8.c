/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling of a whole int8 image that comes row by row. See mn_sums.h. */
#include "mn_pooling.h"
#include "mn_requantize.h"
#include "mn_sums.h"

void mn_sum_pixels_s8(const void *input, int32_t pixels, int32_t channels, int32_t *sums)
{
    const int8_t *const pixel = input;
    int32_t channel = 0;
    for (; channels - channel >= 4; channel += 4)
    {
        const int8_t *value = pixel + channel;
        for (int32_t left = pixels; left > 0; left -= MN_MOST_TAPS)
        {
            const int32_t taps = left < MN_MOST_TAPS ? left : MN_MOST_TAPS;
            mn_add_quads(value, taps, channels, sums + channel);
            value += taps * channels;
        }
    }
    for (; channel < channels; ++channel)
    {
        int32_t sum = sums[channel];
        const int8_t *const end = pixel + pixels * channels + channel;
        for (const int8_t *value = pixel + channel; value != end; value += channels)
        {
            sum += *value;
        }
        sums[channel] = sum;
    }
}

void mn_average_sums_s8(const int32_t *sums, int32_t channels, int32_t count,
                        const mn_activation *activation, void *output)
{
    int8_t *const averages = output;
    for (int32_t channel = 0; channel < channels; ++channel)
    {
        const int32_t value = mn_average(sums[channel], count >> 1, count);
        averages[channel] = (int8_t)mn_clamp(value, activation->min, activation->max);
    }
}
