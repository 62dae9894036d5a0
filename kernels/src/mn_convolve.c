/* SPDX-License-Identifier: Apache-2.0 */
/* 2D convolution, one function for each pair of types. See mn_convolutions.h. */
#include "mn_convolution.h"
#include "mn_nnfunctions.h"

#define MN_CONVOLVE(types, input_type, weight_type)                                                \
    int32_t mn_convolve_##types##_get_buffer_size(                                                 \
        const mn_conv_params *conv_params, const mn_dims *input_dims, const mn_dims *filter_dims,  \
        const mn_dims *output_dims)                                                                \
    {                                                                                              \
        return mn_convolution_buffer_size(&mn_kind_##types, conv_params, input_dims, filter_dims,  \
                                          output_dims);                                            \
    }                                                                                              \
                                                                                                   \
    mn_status mn_convolve_##types(                                                                 \
        const mn_context *ctx, const mn_conv_params *conv_params,                                  \
        const mn_per_channel_quant_params *quant_params, const mn_dims *input_dims,                \
        const input_type *input, const mn_dims *filter_dims, const weight_type *filter,            \
        const mn_dims *bias_dims, const int32_t *bias, const mn_dims *output_dims,                 \
        input_type *output)                                                                        \
    {                                                                                              \
        (void)bias_dims;                                                                           \
        const mn_convolution layer = {&mn_kind_##types, conv_params, quant_params, input_dims,     \
                                      input, filter_dims, filter, bias, output_dims, output};      \
        return mn_convolution_run(ctx, &layer);                                                    \
    }

MN_CONVOLVE(s8, int8_t, int8_t)
MN_CONVOLVE(s8_w4, int8_t, uint8_t)
MN_CONVOLVE(s4, uint8_t, uint8_t)
MN_CONVOLVE(s4_w8, uint8_t, int8_t)
