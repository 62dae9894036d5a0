/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_reference.h"

void mn_reference_depthwise_conv(int32_t input_bits, int32_t weight_bits,
                                 const mn_dw_conv_params *params,
                                 const mn_per_channel_quant_params *quant_params,
                                 const mn_dims *input_dims, const void *input,
                                 const mn_dims *filter_dims, const void *filter,
                                 const int32_t *bias, const mn_dims *output_dims, void *output)
{
    const int32_t count = output_dims->n * output_dims->h * output_dims->w * output_dims->c;
    for (int32_t index = 0; index < count; ++index)
    {
        const int32_t channel = index % output_dims->c;
        const int32_t x = index / output_dims->c % output_dims->w;
        const int32_t y = index / output_dims->c / output_dims->w % output_dims->h;
        const int32_t image = index / output_dims->c / output_dims->w / output_dims->h;
        uint32_t sum = bias ? (uint32_t)bias[channel] : 0;
        for (int32_t tap = 0; tap < filter_dims->h * filter_dims->w; ++tap)
        {
            const int32_t in_y = y * params->stride.h - params->padding.h +
                                 tap / filter_dims->w * params->dilation.h;
            const int32_t in_x = x * params->stride.w - params->padding.w +
                                 tap % filter_dims->w * params->dilation.w;
            if (in_y < 0 || in_y >= input_dims->h || in_x < 0 || in_x >= input_dims->w)
            {
                continue;
            }
            const int32_t pixel = (image * input_dims->h + in_y) * input_dims->w + in_x;
            const int32_t value = mn_reference_get(input_bits, input, pixel * input_dims->c +
                                                                          channel / params->ch_mult);
            const int32_t weight =
                mn_reference_get(weight_bits, filter, tap * output_dims->c + channel);
            sum += (uint32_t)((value + params->input_offset) * weight);
        }
        const int32_t scaled = mn_reference_scale((int32_t)sum, quant_params->multiplier[channel],
                                                  quant_params->shift[channel]);
        const int32_t value = (int32_t)((uint32_t)scaled + (uint32_t)params->output_offset);
        mn_reference_put(input_bits, output, index,
                         mn_reference_limit(value, &params->activation));
    }
}
