/* Depthwise convolution, int8 activations, a prepared filter. See mn_convolutions.h. */
#include "mn_depthwise.h"
#include "mn_nnfunctions.h"

static const mn_depthwise_kind mn_kind = {
    .input_bits = 8,
    .prepare_quad = NULL,
    .unpack = NULL,
    .finish = mn_finish_s8,
};

int32_t mn_depthwise_conv_s8_w16_get_buffer_size(const mn_dw_conv_params *dw_conv_params,
                                              const mn_dims *input_dims,
                                              const mn_dims *filter_dims,
                                              const mn_dims *output_dims)
{
    return mn_depthwise_buffer_size(&mn_kind, dw_conv_params, input_dims, filter_dims,
                                    output_dims);
}

mn_status mn_depthwise_conv_s8_w16(const mn_context *ctx, const mn_dw_conv_params *dw_conv_params,
                                const mn_per_channel_quant_params *quant_params,
                                const mn_dims *input_dims, const int8_t *input,
                                const mn_dims *filter_dims, const int32_t *filter,
                                const mn_dims *bias_dims, const int32_t *bias,
                                const mn_dims *output_dims, int8_t *output)
{
    (void)bias_dims;
    (void)bias;
    const mn_depthwise layer = {&mn_kind, dw_conv_params, quant_params, input_dims, input,
                                filter_dims, filter, NULL, output_dims, output};
    return mn_depthwise_run(ctx, &layer);
}
