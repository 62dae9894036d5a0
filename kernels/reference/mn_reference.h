/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oracle: every operator in plain loops, one element at a time, straight from TFLite's
 * specification and reference kernels. `bits` is 8 or 4; int4 tensors are packed as everywhere else.
 */
#ifndef MN_REFERENCE_H
#define MN_REFERENCE_H

#include <stddef.h>

#include "mn_types.h"

void mn_reference_convolve(int32_t input_bits, int32_t weight_bits, const mn_conv_params *params,
                           const mn_per_channel_quant_params *quant_params,
                           const mn_dims *input_dims, const void *input,
                           const mn_dims *filter_dims, const void *filter, const int32_t *bias,
                           const mn_dims *output_dims, void *output);

void mn_reference_depthwise_conv(int32_t input_bits, int32_t weight_bits,
                                 const mn_dw_conv_params *params,
                                 const mn_per_channel_quant_params *quant_params,
                                 const mn_dims *input_dims, const void *input,
                                 const mn_dims *filter_dims, const void *filter,
                                 const int32_t *bias, const mn_dims *output_dims, void *output);

void mn_reference_fully_connected(int32_t input_bits, int32_t weight_bits,
                                  const mn_fc_params *params, const mn_quant_params *quant_params,
                                  const mn_dims *input_dims, const void *input,
                                  const mn_dims *filter_dims, const void *filter,
                                  const int32_t *bias, const mn_dims *output_dims, void *output);

void mn_reference_avgpool(int32_t bits, const mn_pool_params *params, const mn_dims *input_dims,
                          const void *input, const mn_dims *filter_dims,
                          const mn_dims *output_dims, void *output);

void mn_reference_max_pool(int32_t bits, const mn_pool_params *params, const mn_dims *input_dims,
                           const void *input, const mn_dims *filter_dims,
                           const mn_dims *output_dims, void *output);

void mn_reference_add(int32_t bits, const mn_add_params *params, const void *input1,
                      const void *input2, void *output, int32_t count);

void mn_reference_softmax(int32_t input_bits, const void *input, int32_t rows, int32_t row_size,
                          int32_t multiplier, int32_t shift, int32_t diff_min, int8_t *output);

void mn_reference_clamp(int32_t bits, const mn_activation *activation, const void *input,
                        void *output, int32_t count);

void mn_reference_pad(int32_t bits, int32_t value, const mn_dims *input_dims, const void *input,
                      const mn_dims *before, const mn_dims *after, void *output);

void mn_reference_requantize(int32_t input_bits, int32_t output_bits, int32_t input_offset,
                             int32_t multiplier, int32_t shift, int32_t output_offset,
                             const void *input, void *output, int32_t count);

void mn_reference_lookup(int32_t bits, const int8_t *table, const void *input, void *output,
                         int32_t count);

void mn_reference_mean(int32_t bits, const mn_requantize_params *params, int32_t outer,
                       int32_t reduced, int32_t inner, const void *input, void *output);

void mn_reference_broadcast_add(int32_t bits, const mn_add_params *params, const mn_dims *dims1,
                                const void *input1, const mn_dims *dims2, const void *input2,
                                const mn_dims *dims, void *output);

void mn_reference_sub(int32_t bits, const mn_add_params *params, const mn_dims *dims1,
                      const void *input1, const mn_dims *dims2, const void *input2,
                      const mn_dims *dims, void *output);

void mn_reference_mul(int32_t bits, const mn_mul_params *params, const mn_dims *dims1,
                      const void *input1, const mn_dims *dims2, const void *input2,
                      const mn_dims *dims, void *output);

void mn_reference_maximum(int32_t bits, const mn_dims *dims1, const void *input1,
                          const mn_dims *dims2, const void *input2, const mn_dims *dims,
                          void *output);

void mn_reference_minimum(int32_t bits, const mn_dims *dims1, const void *input1,
                          const mn_dims *dims2, const void *input2, const mn_dims *dims,
                          void *output);

/* Element `index` of a tensor of 8 or 4 bits, and its setter. */
int32_t mn_reference_get(int32_t bits, const void *data, int32_t index);
void mn_reference_put(int32_t bits, void *data, int32_t index, int32_t value);

/* MultiplyByQuantizedMultiplier (double rounding) in 64-bit arithmetic. */
int32_t mn_reference_scale(int32_t value, int32_t multiplier, int32_t shift);

int32_t mn_reference_limit(int32_t value, const mn_activation *activation);

#endif
