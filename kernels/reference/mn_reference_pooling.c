/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_reference.h"

/* The window's sum or maximum, and how many of its elements lie inside the image. */
static int32_t mn_pool(int32_t bits, const mn_pool_params *params, const mn_dims *input_dims,
                       const void *input, const mn_dims *filter_dims, const mn_dims *output_dims,
                       int32_t index, int32_t is_max, int32_t *count)
{
    const int32_t channel = index % output_dims->c;
    const int32_t x = index / output_dims->c % output_dims->w;
    const int32_t y = index / output_dims->c / output_dims->w % output_dims->h;
    const int32_t image = index / output_dims->c / output_dims->w / output_dims->h;
    int32_t result = is_max ? INT32_MIN : 0;
    *count = 0;
    for (int32_t tap = 0; tap < filter_dims->h * filter_dims->w; ++tap)
    {
        const int32_t in_y = y * params->stride.h - params->padding.h + tap / filter_dims->w;
        const int32_t in_x = x * params->stride.w - params->padding.w + tap % filter_dims->w;
        if (in_y < 0 || in_y >= input_dims->h || in_x < 0 || in_x >= input_dims->w)
        {
            continue;
        }
        const int32_t pixel = (image * input_dims->h + in_y) * input_dims->w + in_x;
        const int32_t value = mn_reference_get(bits, input, pixel * input_dims->c + channel);
        result = is_max ? (value > result ? value : result) : result + value;
        ++*count;
    }
    return result;
}

void mn_reference_avgpool(int32_t bits, const mn_pool_params *params, const mn_dims *input_dims,
                          const void *input, const mn_dims *filter_dims,
                          const mn_dims *output_dims, void *output)
{
    const int32_t total = output_dims->n * output_dims->h * output_dims->w * output_dims->c;
    for (int32_t index = 0; index < total; ++index)
    {
        int32_t count;
        const int32_t sum = mn_pool(bits, params, input_dims, input, filter_dims, output_dims,
                                    index, 0, &count);
        const int32_t rounded =
            sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
        mn_reference_put(bits, output, index, mn_reference_limit(rounded, &params->activation));
    }
}

void mn_reference_max_pool(int32_t bits, const mn_pool_params *params, const mn_dims *input_dims,
                           const void *input, const mn_dims *filter_dims,
                           const mn_dims *output_dims, void *output)
{
    const int32_t total = output_dims->n * output_dims->h * output_dims->w * output_dims->c;
    for (int32_t index = 0; index < total; ++index)
    {
        int32_t count;
        const int32_t maximum = mn_pool(bits, params, input_dims, input, filter_dims, output_dims,
                                        index, 1, &count);
        mn_reference_put(bits, output, index, mn_reference_limit(maximum, &params->activation));
    }
}
