/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_depthwise_scratch.h"

#include "mn_arguments.h"

int32_t mn_quads_of(int32_t channels)
{
    return (int32_t)(((uint32_t)channels + MN_LANES - 1) / MN_LANES);
}

static int32_t mn_round_up_4(int32_t value)
{
    return (value + 3) & ~3;
}

int32_t mn_slots_of(const mn_dw_conv_params *params, const mn_dims *input_dims,
                    const mn_dims *filter_dims)
{
    const int32_t reach = (filter_dims->h - 1) * params->dilation.h + 1;
    return reach < input_dims->h ? reach : input_dims->h;
}

static int mn_is_few(const mn_depthwise_kind *kind, const mn_dw_conv_params *params,
                     const mn_dims *output_dims)
{
    return kind->weight_bits == 8 && params->ch_mult == 1 && output_dims->c >= MN_LANES &&
           output_dims->n * output_dims->h * output_dims->w <= MN_FEW_POSITIONS;
}

mn_depthwise_scratch mn_depthwise_scratch_of(const mn_depthwise_kind *kind,
                                             const mn_dw_conv_params *params,
                                             const mn_dims *input_dims,
                                             const mn_dims *filter_dims,
                                             const mn_dims *output_dims)
{
    const int32_t taps = filter_dims->h * filter_dims->w;
    const int32_t unpacked =
        input_dims->w * input_dims->c * mn_slots_of(params, input_dims, filter_dims);
    const int32_t limit = MN_MAX_BUFFER / 32;
    const int64_t prepared = (int64_t)mn_quads_of(filter_dims->c) * (taps * 8LL + 16);
    if ((taps | unpacked / 16 | filter_dims->c) > limit || prepared > MN_MAX_BUFFER / 4)
    {
        return (mn_depthwise_scratch){.total = MN_ARG_ERROR};
    }
    mn_depthwise_scratch parts;
    parts.is_few = mn_is_few(kind, params, output_dims);
    const int is_widened = kind->prepare_quad != NULL && !parts.is_few;
    parts.taps = is_widened ? (int32_t)prepared : 0;
    parts.bias = is_widened ? parts.taps - 16 * mn_quads_of(filter_dims->c) : 0;
    parts.edge = parts.taps + taps * 4;
    parts.zeros = parts.edge + taps * 4;
    parts.rows = parts.zeros + mn_round_up_4(input_dims->c);
    parts.outputs = parts.rows;
    parts.total = parts.rows;
    if (kind->input_bits == 4)
    {
        parts.outputs += mn_round_up_4(unpacked);
        parts.total = parts.outputs + 2 * mn_round_up_4(filter_dims->c);
    }
    return parts;
}

int mn_is_depthwise_geometry(const mn_dw_conv_params *params, const mn_dims *input_dims,
                             const mn_dims *filter_dims, const mn_dims *output_dims)
{
    if (params == NULL || !mn_is_dims(input_dims) || !mn_is_dims(filter_dims) ||
        !mn_is_dims(output_dims) || input_dims->n != output_dims->n || filter_dims->n != 1 ||
        filter_dims->c != output_dims->c || params->ch_mult < 1 ||
        (int64_t)input_dims->c * params->ch_mult != output_dims->c)
    {
        return 0;
    }
    return mn_is_window(input_dims->h, output_dims->h, filter_dims->h, params->stride.h,
                        params->padding.h, params->dilation.h) &&
           mn_is_window(input_dims->w, output_dims->w, filter_dims->w, params->stride.w,
                        params->padding.w, params->dilation.w);
}

int32_t mn_depthwise_buffer_size(const mn_depthwise_kind *kind, const mn_dw_conv_params *params,
                                 const mn_dims *input_dims, const mn_dims *filter_dims,
                                 const mn_dims *output_dims)
{
    if (!mn_is_depthwise_geometry(params, input_dims, filter_dims, output_dims))
    {
        return MN_ARG_ERROR;
    }
    return mn_depthwise_scratch_of(kind, params, input_dims, filter_dims, output_dims).total;
}
