/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution, one function for each pair of types. See mn_convolutions.h. */
#include "mn_depthwise.h"
#include "mn_nnfunctions.h"

#define MN_DEPTHWISE_CONV(types, bits, w_bits, input_type, weight_type, prepare, unpack_input,     \
                          finishing)                                                               \
    static const mn_depthwise_kind mn_kind_##types = {                                             \
        .input_bits = bits,                                                                        \
        .weight_bits = w_bits,                                                                     \
        .prepare_quad = prepare,                                                                   \
        .unpack = unpack_input,                                                                    \
        .finish = finishing,                                                                       \
    };                                                                                             \
                                                                                                   \
    int32_t mn_depthwise_conv_##types##_get_buffer_size(                                           \
        const mn_dw_conv_params *dw_conv_params, const mn_dims *input_dims,                        \
        const mn_dims *filter_dims, const mn_dims *output_dims)                                    \
    {                                                                                              \
        return mn_depthwise_buffer_size(&mn_kind_##types, dw_conv_params, input_dims,              \
                                        filter_dims, output_dims);                                 \
    }                                                                                              \
                                                                                                   \
    mn_status mn_depthwise_conv_##types(                                                           \
        const mn_context *ctx, const mn_dw_conv_params *dw_conv_params,                            \
        const mn_per_channel_quant_params *quant_params, const mn_dims *input_dims,                \
        const input_type *input, const mn_dims *filter_dims, const weight_type *filter,            \
        const mn_dims *bias_dims, const int32_t *bias, const mn_dims *output_dims,                 \
        input_type *output)                                                                        \
    {                                                                                              \
        (void)bias_dims;                                                                           \
        const mn_depthwise layer = {&mn_kind_##types, dw_conv_params, quant_params, input_dims,    \
                                    input, filter_dims, filter, bias, output_dims, output};        \
        return mn_depthwise_run(ctx, &layer);                                                      \
    }

MN_DEPTHWISE_CONV(s8, 8, 8, int8_t, int8_t, mn_prepare_quad_w8, NULL, mn_finish_s8)
MN_DEPTHWISE_CONV(s8_w4, 8, 4, int8_t, uint8_t, mn_prepare_quad_w4, NULL, mn_finish_s8)
MN_DEPTHWISE_CONV(s8_w16, 8, 16, int8_t, int32_t, NULL, NULL, mn_finish_s8)
MN_DEPTHWISE_CONV(s4, 4, 4, uint8_t, uint8_t, mn_prepare_quad_w4, mn_unpack_s4, mn_finish_s4)
MN_DEPTHWISE_CONV(s4_w8, 4, 8, uint8_t, int8_t, mn_prepare_quad_w8, mn_unpack_s4, mn_finish_s4)
MN_DEPTHWISE_CONV(s4_w16, 4, 16, uint8_t, int32_t, NULL, mn_unpack_s4, mn_finish_s4)
