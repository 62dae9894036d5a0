/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling, int8. See mn_nnfunctions.h. */
#include "mn_nnfunctions.h"
#include "mn_pooling.h"
#include "mn_requantize.h"
#include "mn_sums.h"

/* The sums of a quad of channels from `line` on, of a window of any size. */
static void mn_sum_large(const mn_pool_s8 *window, const int8_t *line, int32_t sums[4])
{
    for (int32_t row = window->rows; row > 0; --row, line += window->line)
    {
        const int8_t *value = line;
        for (int32_t left = window->columns; left > 0; left -= MN_MOST_TAPS)
        {
            const int32_t taps = left < MN_MOST_TAPS ? left : MN_MOST_TAPS;
            mn_add_quads(value, taps, window->channels, sums);
            value += taps * window->channels;
        }
    }
}

/* The sums of a quad of channels of a window whose sums fit int16. */
MN_INLINE void mn_sum_small(const mn_pool_s8 *window, const int8_t *line, int32_t width,
                            int32_t sums[4])
{
    const int32_t channels = window->channels;
    uint32_t even = 0;
    uint32_t odd = 0;
    for (int32_t row = window->rows; row > 0; --row, line += window->line)
    {
        const int8_t *const end = line + width;
        for (const int8_t *value = line; value != end; value += channels)
        {
            const uint32_t values = mn_read_u32(value);
            even = mn_sxtab16(even, values);
            odd = mn_sxtab16_ror8(odd, values);
        }
    }
    sums[0] = (int16_t)(uint16_t)(even & 0xFFFFu);
    sums[1] = (int16_t)(uint16_t)(odd & 0xFFFFu);
    sums[2] = (int32_t)even >> 16;
    sums[3] = (int32_t)odd >> 16;
}

static void mn_average_window(const mn_pool_s8 *window, int8_t *output)
{
    const int32_t channels = window->channels;
    const int32_t count = window->rows * window->columns;
    const int32_t half = count >> 1;
    const int32_t width = window->columns * channels;
    int32_t channel = 0;
    for (; channels - channel >= 4; channel += 4, output += 4)
    {
        int32_t sums[4] = {0, 0, 0, 0};
        if (count <= MN_MOST_TAPS)
        {
            mn_sum_small(window, window->input + channel, width, sums);
        }
        else
        {
            mn_sum_large(window, window->input + channel, sums);
        }
        uint32_t word = (uint8_t)mn_average(sums[0], half, count);
        word |= (uint32_t)(uint8_t)mn_average(sums[1], half, count) << 8;
        word |= (uint32_t)(uint8_t)mn_average(sums[2], half, count) << 16;
        word |= (uint32_t)mn_average(sums[3], half, count) << 24;
        mn_write_u32(output, mn_min_s8x4(mn_max_s8x4(word, window->low), window->high));
    }
    for (; channel < channels; ++channel)
    {
        const int8_t *line = window->input + channel;
        int32_t sum = 0;
        for (int32_t row = window->rows; row > 0; --row, line += window->line)
        {
            const int8_t *const end = line + width;
            for (const int8_t *value = line; value != end; value += channels)
            {
                sum += *value;
            }
        }
        const uint32_t word = (uint8_t)mn_average(sum, half, count);
        *output++ = (int8_t)(uint8_t)mn_min_s8x4(mn_max_s8x4(word, window->low), window->high);
    }
}

mn_status mn_avgpool_s8(const mn_pool_params *pool_params, const mn_dims *input_dims,
                        const int8_t *input, const mn_dims *filter_dims,
                        const mn_dims *output_dims, int8_t *output)
{
    if (!mn_is_pooling(pool_params, input_dims, input, filter_dims, output_dims, output, 8))
    {
        return MN_ARG_ERROR;
    }
    mn_run_pool_s8(mn_average_window, pool_params, input_dims, input, filter_dims, output_dims,
                   output);
    return MN_SUCCESS;
}
