#include "mn_depthwise_layout.h"

#include "mn_arguments.h"

int32_t mn_quads_of(int32_t channels)
{
    return channels / MN_LANES + (channels % MN_LANES != 0);
}

static int64_t mn_round_up_4(int64_t value)
{
    return (value + 3) & ~(int64_t)3;
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
    const int64_t quads = mn_quads_of(filter_dims->c);
    const int is_prepared = kind->prepare_quad == NULL;
    const int64_t bias = is_prepared ? 0 : quads * taps * 8;
    const int64_t taps_at = bias + (is_prepared ? 0 : quads * 16);
    const int64_t edge = taps_at + (int64_t)taps * 4;
    const int64_t zeros = edge + (int64_t)taps * 4;
    const int64_t rows = zeros + mn_round_up_4(input_dims->c);
    const int64_t row_bytes = (int64_t)input_dims->w * input_dims->c;
    int64_t outputs = rows;
    int64_t total = rows;
    if (kind->input_bits == 4)
    {
        outputs += mn_round_up_4(row_bytes * mn_slots_of(params, input_dims, filter_dims));
        total = outputs + 2 * mn_round_up_4(filter_dims->c);
    }
    if (total > MN_MAX_BUFFER)
    {
        return (mn_layout){.total = MN_ARG_ERROR};
    }
    return (mn_layout){(int32_t)bias,  (int32_t)taps_at, (int32_t)edge, (int32_t)zeros,
                       (int32_t)rows, (int32_t)outputs, (int32_t)total};
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
