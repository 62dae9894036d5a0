#include "mn_depthwise_layout.h"

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

mn_layout mn_lay_out(const mn_depthwise_kind *kind, const mn_dw_conv_params *params,
                     const mn_dims *input_dims, const mn_dims *filter_dims)
{
    const int32_t taps = filter_dims->h * filter_dims->w;
    const int32_t unpacked =
        input_dims->w * input_dims->c * mn_slots_of(params, input_dims, filter_dims);
    const int32_t limit = MN_MAX_BUFFER / 32;
    const int64_t prepared = (int64_t)mn_quads_of(filter_dims->c) * (taps * 8LL + 16);
    if ((taps | unpacked / 16 | filter_dims->c) > limit || prepared > MN_MAX_BUFFER / 4)
    {
        return (mn_layout){.total = MN_ARG_ERROR};
    }
    mn_layout layout;
    layout.taps = kind->prepare_quad == NULL ? 0 : (int32_t)prepared;
    layout.bias = kind->prepare_quad == NULL ? 0 : layout.taps - 16 * mn_quads_of(filter_dims->c);
    layout.edge = layout.taps + taps * 4;
    layout.zeros = layout.edge + taps * 4;
    layout.rows = layout.zeros + mn_round_up_4(input_dims->c);
    layout.outputs = layout.rows;
    layout.total = layout.rows;
    if (kind->input_bits == 4)
    {
        layout.outputs += mn_round_up_4(unpacked);
        layout.total = layout.outputs + 2 * mn_round_up_4(filter_dims->c);
    }
    return layout;
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
    return mn_lay_out(kind, params, input_dims, filter_dims).total;
}
