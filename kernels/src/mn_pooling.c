/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_pooling.h"

#include "mn_arguments.h"

mn_window mn_window_at(const mn_pool_params *params, const mn_dims *input_dims,
                                 const mn_dims *filter_dims, const mn_dims *output_dims,
                                 int32_t position)
{
    mn_window window;
    const int32_t row = position / output_dims->w;
    const int32_t x = position % output_dims->w * params->stride.w - params->padding.w;
    const int32_t y = row % output_dims->h * params->stride.h - params->padding.h;
    window.image = row / output_dims->h;
    window.y = y < 0 ? 0 : y;
    window.x = x < 0 ? 0 : x;
    window.y_end = y + filter_dims->h < input_dims->h ? y + filter_dims->h : input_dims->h;
    window.x_end = x + filter_dims->w < input_dims->w ? x + filter_dims->w : input_dims->w;
    return window;
}

int32_t mn_is_pooling(const mn_pool_params *params, const mn_dims *input_dims,
                                const void *input, const mn_dims *filter_dims,
                                const mn_dims *output_dims, const void *output, int32_t bits)
{
    return params != NULL && input != NULL && output != NULL && mn_is_dims(input_dims) &&
           mn_is_dims(output_dims) && filter_dims != NULL && filter_dims->h > 0 &&
           filter_dims->w > 0 && input_dims->n == output_dims->n &&
           input_dims->c == output_dims->c &&
           mn_is_window(input_dims->h, output_dims->h, filter_dims->h, params->stride.h,
                        params->padding.h, 1) &&
           mn_is_window(input_dims->w, output_dims->w, filter_dims->w, params->stride.w,
                        params->padding.w, 1) &&
           (int64_t)filter_dims->h * filter_dims->w <= INT32_MAX / 256 &&
           params->padding.h < filter_dims->h && params->padding.w < filter_dims->w &&
           (output_dims->h - 1) * params->stride.h - params->padding.h < input_dims->h &&
           (output_dims->w - 1) * params->stride.w - params->padding.w < input_dims->w &&
           mn_is_activation(&params->activation, bits);
}

void mn_run_pool_s8(mn_pool_window *pool, const mn_pool_params *params, const mn_dims *input_dims,
                    const int8_t *input, const mn_dims *filter_dims, const mn_dims *output_dims,
                    int8_t *output)
{
    const mn_dims in = *input_dims;
    mn_pool_s8 window;
    window.line = in.w * in.c;
    window.channels = in.c;
    window.low = mn_bytes(params->activation.min);
    window.high = mn_bytes(params->activation.max);
    for (int32_t image = 0; image < in.n; ++image, input += in.h * window.line)
    {
        int32_t y = -params->padding.h;
        for (int32_t row = 0; row < output_dims->h; ++row, y += params->stride.h)
        {
            const int32_t top = y < 0 ? 0 : y;
            const int32_t bottom = y + filter_dims->h < in.h ? y + filter_dims->h : in.h;
            const int8_t *const line = input + top * window.line;
            window.rows = bottom - top;
            int32_t x = -params->padding.w;
            for (int32_t column = 0; column < output_dims->w; ++column, x += params->stride.w)
            {
                const int32_t left = x < 0 ? 0 : x;
                const int32_t right = x + filter_dims->w < in.w ? x + filter_dims->w : in.w;
                window.columns = right - left;
                window.input = line + left * in.c;
                pool(&window, output);
                output += in.c;
            }
        }
    }
}
