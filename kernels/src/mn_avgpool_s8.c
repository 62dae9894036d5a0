/* Average pooling, int8. See mn_nnfunctions.h. */
#include "mn_nnfunctions.h"
#include "mn_pooling.h"
#include "mn_requantize.h"

/* Adds a window row of four channels; at most 255 taps fit the int16 lanes. */
static void mn_sum_quad(const int8_t *input, int32_t taps, int32_t channels, int32_t sums[4])
{
    while (taps > 0)
    {
        const int32_t chunk = taps < 255 ? taps : 255;
        uint32_t even = 0;
        uint32_t odd = 0;
        for (int32_t tap = 0; tap < chunk; ++tap, input += channels)
        {
            const uint32_t values = mn_read_u32(input);
            even = mn_sxtab16(even, values);
            odd = mn_sxtab16_ror8(odd, values);
        }
        sums[0] += (int16_t)(uint16_t)(even & 0xFFFFu);
        sums[1] += (int16_t)(uint16_t)(odd & 0xFFFFu);
        sums[2] += (int16_t)(uint16_t)(even >> 16);
        sums[3] += (int16_t)(uint16_t)(odd >> 16);
        taps -= chunk;
    }
}

static void mn_sum_single(const int8_t *input, int32_t taps, int32_t channels, int32_t *sum)
{
    for (; taps > 0; --taps, input += channels)
    {
        *sum += *input;
    }
}

static void mn_average_window(const mn_pool_params *params, const mn_dims *dims,
                              const int8_t *input, const mn_window *window, int8_t *output)
{
    const int32_t width = window->x_end - window->x;
    const int32_t count = (window->y_end - window->y) * width;
    for (int32_t channel = 0; channel < dims->c;)
    {
        const int32_t lanes = dims->c - channel >= 4 ? 4 : 1;
        int32_t sums[4] = {0, 0, 0, 0};
        for (int32_t y = window->y; y < window->y_end; ++y)
        {
            const int32_t pixel = (window->image * dims->h + y) * dims->w + window->x;
            const int8_t *const row = input + pixel * dims->c + channel;
            if (lanes == 4)
            {
                mn_sum_quad(row, width, dims->c, sums);
            }
            else
            {
                mn_sum_single(row, width, dims->c, sums);
            }
        }
        for (int32_t lane = 0; lane < lanes; ++lane, ++channel)
        {
            output[channel] = (int8_t)mn_clamp(mn_average(sums[lane], count),
                                               params->activation.min, params->activation.max);
        }
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
    const int32_t positions = output_dims->n * output_dims->h * output_dims->w;
    for (int32_t position = 0; position < positions; ++position)
    {
        const mn_window window =
            mn_window_at(pool_params, input_dims, filter_dims, output_dims, position);
        mn_average_window(pool_params, input_dims, input, &window, output);
        output += output_dims->c;
    }
    return MN_SUCCESS;
}
