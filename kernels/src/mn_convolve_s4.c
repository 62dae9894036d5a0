/* 2D convolution, int4 activations, int4 weights. See mn_nnfunctions.h. */
#include "mn_convolution.h"
#include "mn_nnfunctions.h"

int32_t mn_convolve_s4_get_buffer_size(const mn_conv_params *conv_params,
                                        const mn_dims *input_dims, const mn_dims *filter_dims,
                                        const mn_dims *output_dims)
{
    return mn_convolution_buffer_size(&mn_kind_s4, conv_params, input_dims, filter_dims,
                                      output_dims);
}

mn_status mn_convolve_s4(const mn_context *ctx, const mn_conv_params *conv_params,
                          const mn_per_channel_quant_params *quant_params,
                          const mn_dims *input_dims, const uint8_t *input,
                          const mn_dims *filter_dims, const uint8_t *filter,
                          const mn_dims *bias_dims, const int32_t *bias,
                          const mn_dims *output_dims, uint8_t *output)
{
    (void)bias_dims;
    if (quant_params == NULL)
    {
        return MN_ARG_ERROR;
    }
    mn_convolution convolution = {
        .kind = &mn_kind_s4,
        .params = conv_params,
        .rows = {.multiplier = quant_params->multiplier,
                 .shift = quant_params->shift,
                 .quant_step = 1},
        .input_dims = input_dims,
        .input = input,
        .filter_dims = filter_dims,
        .filter = filter,
        .output_dims = output_dims,
        .output = output,
    };
    return mn_convolution_run(ctx, &convolution, bias);
}
