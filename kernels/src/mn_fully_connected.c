/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected, one function for each pair of types. See mn_nnfunctions.h. */
#include "mn_dense.h"
#include "mn_nnfunctions.h"

#define MN_FULLY_CONNECTED(types, input_type, weight_type, dot)                                    \
    int32_t mn_fully_connected_##types##_get_buffer_size(                                          \
        const mn_dims *input_dims, const mn_dims *filter_dims, const mn_dims *output_dims)         \
    {                                                                                              \
        return mn_dense_buffer_size(&mn_kind_##types, dot, input_dims, filter_dims,                \
                                              output_dims);                                        \
    }                                                                                              \
                                                                                                   \
    mn_status mn_fully_connected_##types(                                                          \
        const mn_context *ctx, const mn_fc_params *fc_params, const mn_quant_params *quant_params, \
        const mn_dims *input_dims, const input_type *input, const mn_dims *filter_dims,            \
        const weight_type *filter, const mn_dims *bias_dims, const int32_t *bias,                  \
        const mn_dims *output_dims, input_type *output)                                            \
    {                                                                                              \
        (void)bias_dims;                                                                           \
        const mn_dense layer = {                                                                   \
            &mn_kind_##types, dot,    fc_params, quant_params, input_dims, input,                  \
            filter_dims,      filter, bias,      output_dims,  output};                            \
        return mn_dense_run(ctx, &layer);                                                          \
    }

MN_FULLY_CONNECTED(s8, int8_t, int8_t, mn_dot_s8_w8)
MN_FULLY_CONNECTED(s8_w4, int8_t, uint8_t, NULL)
MN_FULLY_CONNECTED(s4, uint8_t, uint8_t, NULL)
MN_FULLY_CONNECTED(s4_w8, uint8_t, int8_t, NULL)
