/* SPDX-License-Identifier: Apache-2.0 */
/* What convolution and depthwise convolution offer for a pair of types, on top of their drivers. */
#ifndef MN_LAYER_FUNCTIONS_H
#define MN_LAYER_FUNCTIONS_H

#define MN_LAYER_FUNCTIONS(name, driver, params_type, kind, input_type, weight_type)               \
    int32_t name##_get_buffer_size(const params_type *params, const mn_dims *input_dims,           \
                                   const mn_dims *filter_dims, const mn_dims *output_dims)         \
    {                                                                                              \
        return driver##_buffer_size(&kind, params, input_dims, filter_dims, output_dims);          \
    }                                                                                              \
                                                                                                   \
    mn_status name(const mn_context *ctx, const params_type *params,                               \
                   const mn_per_channel_quant_params *quant_params, const mn_dims *input_dims,     \
                   const input_type *input, const mn_dims *filter_dims,                            \
                   const weight_type *filter, const mn_dims *bias_dims, const int32_t *bias,       \
                   const mn_dims *output_dims, input_type *output)                                 \
    {                                                                                              \
        (void)bias_dims;                                                                           \
        const driver layer = {&kind,       params, quant_params, input_dims,  input,               \
                              filter_dims, filter, bias,         output_dims, output};             \
        return driver##_run(ctx, &layer);                                                          \
    }

#endif
