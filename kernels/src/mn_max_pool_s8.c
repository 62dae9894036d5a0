/* SPDX-License-Identifier: Apache-2.0 */
/* Max pooling, int8. See mn_nnfunctions.h. */
#include "mn_nnfunctions.h"
#include "mn_pooling.h"

static void mn_max_window(const mn_pool_s8 *window, int8_t *output)
{
    const int32_t channels = window->channels;
    const int32_t width = window->columns * channels;
    for (int32_t channel = 0; channel < channels;)
    {
        const int is_quad = channels - channel >= 4;
        const int8_t *line = window->input + channel;
        uint32_t maxima = window->low;
        for (int32_t row = window->rows; row > 0; --row, line += window->line)
        {
            const int8_t *const end = line + width;
            if (is_quad)
            {
                for (const int8_t *value = line; value != end; value += channels)
                {
                    maxima = mn_max_s8x4(maxima, mn_read_u32(value));
                }
            }
            else
            {
                for (const int8_t *value = line; value != end; value += channels)
                {
                    maxima = mn_max_s8x4(maxima, (uint8_t)*value);
                }
            }
        }
        maxima = mn_min_s8x4(maxima, window->high);
        if (is_quad)
        {
            mn_write_u32(output, maxima);
            output += 4;
            channel += 4;
        }
        else
        {
            *output++ = (int8_t)(uint8_t)maxima;
            ++channel;
        }
    }
}

mn_status mn_max_pool_s8(const mn_pool_params *pool_params, const mn_dims *input_dims,
                         const int8_t *input, const mn_dims *filter_dims,
                         const mn_dims *output_dims, int8_t *output)
{
    if (!mn_is_pooling(pool_params, input_dims, input, filter_dims, output_dims, output, 8))
    {
        return MN_ARG_ERROR;
    }
    mn_run_pool_s8(mn_max_window, pool_params, input_dims, input, filter_dims, output_dims,
                   output);
    return MN_SUCCESS;
}
