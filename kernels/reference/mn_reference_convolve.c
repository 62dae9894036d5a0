/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_reference.h"

/* The input element of one tap, input_offset added; 0 in the padding. */
static int32_t mn_tap(int32_t bits, const mn_conv_params *params, const mn_dims *dims,
                      const void *input, const int32_t at[4])
{
    if (at[1] < 0 || at[1] >= dims->h || at[2] < 0 || at[2] >= dims->w)
    {
        return 0;
    }
    const int32_t index = ((at[0] * dims->h + at[1]) * dims->w + at[2]) * dims->c + at[3];
    return mn_reference_get(bits, input, index) + params->input_offset;
}

void mn_reference_convolve(int32_t input_bits, int32_t weight_bits, const mn_conv_params *params,
                           const mn_per_channel_quant_params *quant_params,
                           const mn_dims *input_dims, const void *input,
                           const mn_dims *filter_dims, const void *filter, const int32_t *bias,
                           const mn_dims *output_dims, void *output)
{
    const int32_t groups = input_dims->c / filter_dims->c;
    const int32_t rows = output_dims->c / groups;
    const int32_t depth = filter_dims->h * filter_dims->w * filter_dims->c;
    const int32_t count = output_dims->n * output_dims->h * output_dims->w * output_dims->c;
    for (int32_t index = 0; index < count; ++index)
    {
        const int32_t channel = index % output_dims->c;
        const int32_t x = index / output_dims->c % output_dims->w;
        const int32_t y = index / output_dims->c / output_dims->w % output_dims->h;
        const int32_t image = index / output_dims->c / output_dims->w / output_dims->h;
        uint32_t sum = bias ? (uint32_t)bias[channel] : 0;
        for (int32_t tap = 0; tap < depth; ++tap)
        {
            const int32_t kx = tap / filter_dims->c % filter_dims->w;
            const int32_t ky = tap / filter_dims->c / filter_dims->w;
            const int32_t at[4] = {
                image, y * params->stride.h - params->padding.h + ky * params->dilation.h,
                x * params->stride.w - params->padding.w + kx * params->dilation.w,
                channel / rows * filter_dims->c + tap % filter_dims->c};
            const int32_t weight = mn_reference_get(weight_bits, filter, channel * depth + tap);
            sum += (uint32_t)(mn_tap(input_bits, params, input_dims, input, at) * weight);
        }
        const int32_t scaled = mn_reference_scale((int32_t)sum, quant_params->multiplier[channel],
                                                  quant_params->shift[channel]);
        const int32_t value = (int32_t)((uint32_t)scaled + (uint32_t)params->output_offset);
        mn_reference_put(input_bits, output, index,
                         mn_reference_limit(value, &params->activation));
    }
}
