/* Max pooling, int8. See mn_nnfunctions.h. */
#include "mn_nnfunctions.h"
#include "mn_pooling.h"
#include "mn_requantize.h"

/* The maxima of `lanes` (4 or 1) channels. */
static uint32_t mn_window_maxima(const mn_dims *dims, const int8_t *input, const mn_window *window,
                                 int32_t channel, int32_t lanes)
{
    uint32_t maxima = 0x80808080u;
    for (int32_t y = window->y; y < window->y_end; ++y)
    {
        const int32_t pixel = (window->image * dims->h + y) * dims->w + window->x;
        const int8_t *values = input + pixel * dims->c + channel;
        for (int32_t x = window->x; x < window->x_end; ++x, values += dims->c)
        {
            const uint32_t word = lanes == 4 ? mn_read_u32(values) : (uint8_t)*values;
            maxima = mn_max_s8x4(maxima, word);
        }
    }
    return maxima;
}

mn_status mn_max_pool_s8(const mn_pool_params *pool_params, const mn_dims *input_dims,
                         const int8_t *input, const mn_dims *filter_dims,
                         const mn_dims *output_dims, int8_t *output)
{
    if (!mn_is_pooling(pool_params, input_dims, input, filter_dims, output_dims, output, 8))
    {
        return MN_ARG_ERROR;
    }
    const uint32_t lows = mn_bytes(pool_params->activation.min);
    const uint32_t highs = mn_bytes(pool_params->activation.max);
    const int32_t positions = output_dims->n * output_dims->h * output_dims->w;
    for (int32_t position = 0; position < positions; ++position)
    {
        const mn_window window =
            mn_window_at(pool_params, input_dims, filter_dims, output_dims, position);
        for (int32_t channel = 0; channel < output_dims->c;)
        {
            const int32_t lanes = output_dims->c - channel >= 4 ? 4 : 1;
            const uint32_t maxima =
                mn_window_maxima(input_dims, input, &window, channel, lanes);
            const uint32_t limited = mn_min_s8x4(mn_max_s8x4(maxima, lows), highs);
            if (lanes == 4)
            {
                mn_write_u32(output, limited);
            }
            else
            {
                *output = (int8_t)(uint8_t)limited;
            }
            output += lanes;
            channel += lanes;
        }
    }
    return MN_SUCCESS;
}
