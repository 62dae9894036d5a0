#ifndef MN_NNFUNCTIONS_H
#define MN_NNFUNCTIONS_H
#include <stddef.h>
#include "mn_types.h"
int32_t mn_convolve_s8_get_buffer_size(const mn_conv_params *conv_params,
                                        const mn_dims *input_dims, const mn_dims *filter_dims,
                                        const mn_dims *output_dims);
mn_status mn_convolve_s8(const mn_context *ctx, const mn_conv_params *conv_params,
                          const mn_per_channel_quant_params *quant_params,
                          const mn_dims *input_dims, const int8_t *input,
                          const mn_dims *filter_dims, const int8_t *filter,
                          const mn_dims *bias_dims, const int32_t *bias,
                          const mn_dims *output_dims, int8_t *output);
int32_t mn_fully_connected_s8_get_buffer_size(const mn_dims *input_dims,
                                               const mn_dims *filter_dims,
                                               const mn_dims *output_dims);
mn_status mn_fully_connected_s8(const mn_context *ctx, const mn_fc_params *fc_params,
                                 const mn_quant_params *quant_params, const mn_dims *input_dims,
                                 const int8_t *input, const mn_dims *filter_dims,
                                 const int8_t *filter, const mn_dims *bias_dims,
                                 const int32_t *bias, const mn_dims *output_dims,
                                 int8_t *output);
int32_t mn_depthwise_conv_s8_get_buffer_size(const mn_dw_conv_params *dw_conv_params,
                                              const mn_dims *input_dims,
                                              const mn_dims *filter_dims,
                                              const mn_dims *output_dims);
mn_status mn_depthwise_conv_s8(const mn_context *ctx, const mn_dw_conv_params *dw_conv_params,
                                const mn_per_channel_quant_params *quant_params,
                                const mn_dims *input_dims, const int8_t *input,
                                const mn_dims *filter_dims, const int8_t *filter,
                                const mn_dims *bias_dims, const int32_t *bias,
                                const mn_dims *output_dims, int8_t *output);
int32_t mn_convolve_s8_w4_get_buffer_size(const mn_conv_params *conv_params,
                                        const mn_dims *input_dims, const mn_dims *filter_dims,
                                        const mn_dims *output_dims);
mn_status mn_convolve_s8_w4(const mn_context *ctx, const mn_conv_params *conv_params,
                          const mn_per_channel_quant_params *quant_params,
                          const mn_dims *input_dims, const int8_t *input,
                          const mn_dims *filter_dims, const uint8_t *filter,
                          const mn_dims *bias_dims, const int32_t *bias,
                          const mn_dims *output_dims, int8_t *output);
int32_t mn_fully_connected_s8_w4_get_buffer_size(const mn_dims *input_dims,
                                               const mn_dims *filter_dims,
                                               const mn_dims *output_dims);
mn_status mn_fully_connected_s8_w4(const mn_context *ctx, const mn_fc_params *fc_params,
                                 const mn_quant_params *quant_params, const mn_dims *input_dims,
                                 const int8_t *input, const mn_dims *filter_dims,
                                 const uint8_t *filter, const mn_dims *bias_dims,
                                 const int32_t *bias, const mn_dims *output_dims,
                                 int8_t *output);
int32_t mn_depthwise_conv_s8_w4_get_buffer_size(const mn_dw_conv_params *dw_conv_params,
                                              const mn_dims *input_dims,
                                              const mn_dims *filter_dims,
                                              const mn_dims *output_dims);
mn_status mn_depthwise_conv_s8_w4(const mn_context *ctx, const mn_dw_conv_params *dw_conv_params,
                                const mn_per_channel_quant_params *quant_params,
                                const mn_dims *input_dims, const int8_t *input,
                                const mn_dims *filter_dims, const uint8_t *filter,
                                const mn_dims *bias_dims, const int32_t *bias,
                                const mn_dims *output_dims, int8_t *output);
int32_t mn_convolve_s4_get_buffer_size(const mn_conv_params *conv_params,
                                        const mn_dims *input_dims, const mn_dims *filter_dims,
                                        const mn_dims *output_dims);
mn_status mn_convolve_s4(const mn_context *ctx, const mn_conv_params *conv_params,
                          const mn_per_channel_quant_params *quant_params,
                          const mn_dims *input_dims, const uint8_t *input,
                          const mn_dims *filter_dims, const uint8_t *filter,
                          const mn_dims *bias_dims, const int32_t *bias,
                          const mn_dims *output_dims, uint8_t *output);
int32_t mn_fully_connected_s4_get_buffer_size(const mn_dims *input_dims,
                                               const mn_dims *filter_dims,
                                               const mn_dims *output_dims);
mn_status mn_fully_connected_s4(const mn_context *ctx, const mn_fc_params *fc_params,
                                 const mn_quant_params *quant_params, const mn_dims *input_dims,
                                 const uint8_t *input, const mn_dims *filter_dims,
                                 const uint8_t *filter, const mn_dims *bias_dims,
                                 const int32_t *bias, const mn_dims *output_dims,
                                 uint8_t *output);
int32_t mn_depthwise_conv_s4_get_buffer_size(const mn_dw_conv_params *dw_conv_params,
                                              const mn_dims *input_dims,
                                              const mn_dims *filter_dims,
                                              const mn_dims *output_dims);
mn_status mn_depthwise_conv_s4(const mn_context *ctx, const mn_dw_conv_params *dw_conv_params,
                                const mn_per_channel_quant_params *quant_params,
                                const mn_dims *input_dims, const uint8_t *input,
                                const mn_dims *filter_dims, const uint8_t *filter,
                                const mn_dims *bias_dims, const int32_t *bias,
                                const mn_dims *output_dims, uint8_t *output);
int32_t mn_convolve_s4_w8_get_buffer_size(const mn_conv_params *conv_params,
                                        const mn_dims *input_dims, const mn_dims *filter_dims,
                                        const mn_dims *output_dims);
mn_status mn_convolve_s4_w8(const mn_context *ctx, const mn_conv_params *conv_params,
                          const mn_per_channel_quant_params *quant_params,
                          const mn_dims *input_dims, const uint8_t *input,
                          const mn_dims *filter_dims, const int8_t *filter,
                          const mn_dims *bias_dims, const int32_t *bias,
                          const mn_dims *output_dims, uint8_t *output);
int32_t mn_fully_connected_s4_w8_get_buffer_size(const mn_dims *input_dims,
                                               const mn_dims *filter_dims,
                                               const mn_dims *output_dims);
mn_status mn_fully_connected_s4_w8(const mn_context *ctx, const mn_fc_params *fc_params,
                                 const mn_quant_params *quant_params, const mn_dims *input_dims,
                                 const uint8_t *input, const mn_dims *filter_dims,
                                 const int8_t *filter, const mn_dims *bias_dims,
                                 const int32_t *bias, const mn_dims *output_dims,
                                 uint8_t *output);
int32_t mn_depthwise_conv_s4_w8_get_buffer_size(const mn_dw_conv_params *dw_conv_params,
                                              const mn_dims *input_dims,
                                              const mn_dims *filter_dims,
                                              const mn_dims *output_dims);
mn_status mn_depthwise_conv_s4_w8(const mn_context *ctx, const mn_dw_conv_params *dw_conv_params,
                                const mn_per_channel_quant_params *quant_params,
                                const mn_dims *input_dims, const uint8_t *input,
                                const mn_dims *filter_dims, const int8_t *filter,
                                const mn_dims *bias_dims, const int32_t *bias,
                                const mn_dims *output_dims, uint8_t *output);
#endif
