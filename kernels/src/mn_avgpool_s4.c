/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling, packed int4. See mn_nnfunctions.h. */
#include "mn_nnfunctions.h"
#include "mn_pooling.h"
#include "mn_requantize.h"

static int32_t mn_window_average(const mn_dims *dims, const uint8_t *input, const mn_window *window,
                               int32_t channel)
{
    int32_t sum = 0;
    for (int32_t y = window->y; y < window->y_end; ++y)
    {
        const int32_t row = (window->image * dims->h + y) * dims->w;
        for (int32_t x = window->x; x < window->x_end; ++x)
        {
            const int32_t value = mn_get_s4(input, (row + x) * dims->c + channel);
            sum += value;
        }
    }
    const int32_t count = (window->y_end - window->y) * (window->x_end - window->x);
    return mn_average(sum, count >> 1, count);
}

mn_status mn_avgpool_s4(const mn_pool_params *pool_params, const mn_dims *input_dims,
                        const uint8_t *input, const mn_dims *filter_dims,
                        const mn_dims *output_dims, uint8_t *output)
{
    if (!mn_is_pooling(pool_params, input_dims, input, filter_dims, output_dims, output, 4))
    {
        return MN_ARG_ERROR;
    }
    const int32_t positions = output_dims->n * output_dims->h * output_dims->w;
    for (int32_t position = 0; position < positions; ++position)
    {
        const mn_window window =
            mn_window_at(pool_params, input_dims, filter_dims, output_dims, position);
        for (int32_t channel = 0; channel < output_dims->c; ++channel)
        {
            const int32_t value = mn_window_average(input_dims, input, &window, channel);
            mn_append_s4(output, position * output_dims->c + channel,
                         mn_clamp(value, pool_params->activation.min, pool_params->activation.max));
        }
    }
    return MN_SUCCESS;
}
