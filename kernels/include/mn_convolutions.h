/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution and depthwise convolution; mn_nnfunctions.h has the conventions and the rest. */
#ifndef MN_CONVOLUTIONS_H
#define MN_CONVOLUTIONS_H

#include "mn_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Convolution: any kernel, stride, padding and dilation; groups where the filter has fewer input
 * channels than the input. A 1 x 1 kernel without padding is computed without gathering patches.
 *
 * Scratch (depth = filter h * w * c): four int16 columns, 8 bytes per input of a patch rounded up to
 * 4 (int4 weights: to 8 where 5 or more remain), or one where there are fewer than four output
 * positions; one patch of int8, unless the kernel is 1 x 1 or its channels are a multiple of 4 (8)
 * (never for _s4_w8); 4 bytes per output channel where a patch has fewer than 4 (8) inputs; int4
 * outputs: a byte per output channel and column.
 *
 * Overlap: a step is a block of four output positions (one, for the positions after the last whole
 * block), all of whose inputs are read before its outputs are written. Stride 1 and 1 x 1: D =
 * max(0, cout - cin) * positions in all blocks but the last. With groups, each group of a block is
 * a step, which writes up to its last channel of the last position.
 *
 * Source: TFLite reference_integer_ops::ConvPerChannel.
 */

/** Scratch bytes of mn_convolve_s8. */
int32_t mn_convolve_s8_get_buffer_size(const mn_conv_params *conv_params, const mn_dims *input_dims,
                                       const mn_dims *filter_dims, const mn_dims *output_dims);

/**
 * Convolution of int8 activations with int8 weights.
 *
 * @param ctx          scratch, mn_convolve_s8_get_buffer_size bytes
 * @param conv_params  offsets, stride, padding, dilation; activation within -128 .. 127
 * @param quant_params one multiplier and shift per output channel
 * @param input_dims   [n, h, w, c]
 * @param filter_dims  [output c, h, w, input c / groups]
 * @param bias_dims    not read; may be null
 * @param bias         one per output channel, or null
 * @param output_dims  [n, h, w, c]
 */
mn_status mn_convolve_s8(const mn_context *ctx, const mn_conv_params *conv_params,
                         const mn_per_channel_quant_params *quant_params, const mn_dims *input_dims,
                         const int8_t *input, const mn_dims *filter_dims, const int8_t *filter,
                         const mn_dims *bias_dims, const int32_t *bias, const mn_dims *output_dims,
                         int8_t *output);

/** Scratch bytes of mn_convolve_s8_w4. */
int32_t mn_convolve_s8_w4_get_buffer_size(const mn_conv_params *conv_params, const mn_dims *input_dims,
                                       const mn_dims *filter_dims, const mn_dims *output_dims);

/**
 * Convolution of int8 activations with packed int4 weights.
 *
 * @param ctx          scratch, mn_convolve_s8_w4_get_buffer_size bytes
 * @param conv_params  offsets, stride, padding, dilation; activation within -128 .. 127
 * @param quant_params one multiplier and shift per output channel
 * @param input_dims   [n, h, w, c]
 * @param filter_dims  [output c, h, w, input c / groups]
 * @param bias_dims    not read; may be null
 * @param bias         one per output channel, or null
 * @param output_dims  [n, h, w, c]
 */
mn_status mn_convolve_s8_w4(const mn_context *ctx, const mn_conv_params *conv_params,
                         const mn_per_channel_quant_params *quant_params, const mn_dims *input_dims,
                         const int8_t *input, const mn_dims *filter_dims, const uint8_t *filter,
                         const mn_dims *bias_dims, const int32_t *bias, const mn_dims *output_dims,
                         int8_t *output);

/** Scratch bytes of mn_convolve_s4. */
int32_t mn_convolve_s4_get_buffer_size(const mn_conv_params *conv_params, const mn_dims *input_dims,
                                       const mn_dims *filter_dims, const mn_dims *output_dims);

/**
 * Convolution of packed int4 activations with packed int4 weights.
 *
 * @param ctx          scratch, mn_convolve_s4_get_buffer_size bytes
 * @param conv_params  offsets, stride, padding, dilation; activation within -8 .. 7
 * @param quant_params one multiplier and shift per output channel
 * @param input_dims   [n, h, w, c]
 * @param filter_dims  [output c, h, w, input c / groups]
 * @param bias_dims    not read; may be null
 * @param bias         one per output channel, or null
 * @param output_dims  [n, h, w, c]
 */
mn_status mn_convolve_s4(const mn_context *ctx, const mn_conv_params *conv_params,
                         const mn_per_channel_quant_params *quant_params, const mn_dims *input_dims,
                         const uint8_t *input, const mn_dims *filter_dims, const uint8_t *filter,
                         const mn_dims *bias_dims, const int32_t *bias, const mn_dims *output_dims,
                         uint8_t *output);

/** Scratch bytes of mn_convolve_s4_w8. */
int32_t mn_convolve_s4_w8_get_buffer_size(const mn_conv_params *conv_params, const mn_dims *input_dims,
                                       const mn_dims *filter_dims, const mn_dims *output_dims);

/**
 * Convolution of packed int4 activations with int8 weights.
 *
 * @param ctx          scratch, mn_convolve_s4_w8_get_buffer_size bytes
 * @param conv_params  offsets, stride, padding, dilation; activation within -8 .. 7
 * @param quant_params one multiplier and shift per output channel
 * @param input_dims   [n, h, w, c]
 * @param filter_dims  [output c, h, w, input c / groups]
 * @param bias_dims    not read; may be null
 * @param bias         one per output channel, or null
 * @param output_dims  [n, h, w, c]
 */
mn_status mn_convolve_s4_w8(const mn_context *ctx, const mn_conv_params *conv_params,
                         const mn_per_channel_quant_params *quant_params, const mn_dims *input_dims,
                         const uint8_t *input, const mn_dims *filter_dims, const int8_t *filter,
                         const mn_dims *bias_dims, const int32_t *bias, const mn_dims *output_dims,
                         uint8_t *output);

/*
 * Depthwise convolution: output channel c reads input channel c / ch_mult; any kernel, stride, padding
 * and dilation. Fastest with ch_mult 1 and at least 4 channels.
 *
 * Scratch: weights widened to int16, 2 bytes each for the channels rounded up to 4; 4 bytes of bias
 * per such channel; two tables of 4 bytes per tap; one pixel of the input (int8); int4 activations: the
 * input rows one output row reaches, one byte an element, and two output positions. _w16 needs neither
 * the weights nor the bias there, nor do int8 weights where there are one or two output positions,
 * ch_mult is 1 and channels are four or more.
 *
 * Prepared filters (_w16): what the other kernels make of filter and bias at each call, as a constant,
 * aligned to 4 bytes. Channels form quads, the q-th from channel 4 q on; with ch_mult 1 and at least 4
 * channels the last quad ends with the last channel, otherwise missing channels are 0. First, for each
 * quad, 4 biases of int32: bias[c] + (input offset, less 8 for int4 activations) * (sum of c's weights).
 * Then, for each quad and tap, 4 weights of int16: those of its channels 0, 2, 1, 3.
 *
 * Overlap, int8: a step is a quad of channels of one position. With channels a multiple of 4 and
 * ch_mult 1, D is that of TFLite's reference kernel, else up to 3 bytes more (the last quad reads up
 * to 3 channels again); other multipliers: each quad is a step that reads the input channels it needs.
 * int4: a step is a row of output positions, whose input rows are all unpacked before.
 *
 * Source: TFLite reference_integer_ops::DepthwiseConvPerChannel.
 */

/** Scratch bytes of mn_depthwise_conv_s8. */
int32_t mn_depthwise_conv_s8_get_buffer_size(const mn_dw_conv_params *dw_conv_params,
                                             const mn_dims *input_dims, const mn_dims *filter_dims,
                                             const mn_dims *output_dims);

/**
 * Depthwise convolution of int8 activations with int8 weights.
 *
 * @param ctx            scratch, mn_depthwise_conv_s8_get_buffer_size bytes
 * @param dw_conv_params offsets, multiplier, stride, padding, dilation; activation within -128 .. 127
 * @param quant_params   one multiplier and shift per output channel
 * @param input_dims     [n, h, w, c]
 * @param filter_dims    [1, h, w, output c]
 * @param bias_dims      not read; may be null
 * @param bias           one per output channel, or null
 * @param output_dims    [n, h, w, c * ch_mult]
 */
mn_status mn_depthwise_conv_s8(const mn_context *ctx, const mn_dw_conv_params *dw_conv_params,
                               const mn_per_channel_quant_params *quant_params,
                               const mn_dims *input_dims, const int8_t *input,
                               const mn_dims *filter_dims, const int8_t *filter,
                               const mn_dims *bias_dims, const int32_t *bias,
                               const mn_dims *output_dims, int8_t *output);

/** Scratch bytes of mn_depthwise_conv_s8_w4. */
int32_t mn_depthwise_conv_s8_w4_get_buffer_size(const mn_dw_conv_params *dw_conv_params,
                                             const mn_dims *input_dims, const mn_dims *filter_dims,
                                             const mn_dims *output_dims);

/**
 * Depthwise convolution of int8 activations with packed int4 weights.
 *
 * @param ctx            scratch, mn_depthwise_conv_s8_w4_get_buffer_size bytes
 * @param dw_conv_params offsets, multiplier, stride, padding, dilation; activation within -128 .. 127
 * @param quant_params   one multiplier and shift per output channel
 * @param input_dims     [n, h, w, c]
 * @param filter_dims    [1, h, w, output c]
 * @param bias_dims      not read; may be null
 * @param bias           one per output channel, or null
 * @param output_dims    [n, h, w, c * ch_mult]
 */
mn_status mn_depthwise_conv_s8_w4(const mn_context *ctx, const mn_dw_conv_params *dw_conv_params,
                               const mn_per_channel_quant_params *quant_params,
                               const mn_dims *input_dims, const int8_t *input,
                               const mn_dims *filter_dims, const uint8_t *filter,
                               const mn_dims *bias_dims, const int32_t *bias,
                               const mn_dims *output_dims, int8_t *output);

/** Scratch bytes of mn_depthwise_conv_s4. */
int32_t mn_depthwise_conv_s4_get_buffer_size(const mn_dw_conv_params *dw_conv_params,
                                             const mn_dims *input_dims, const mn_dims *filter_dims,
                                             const mn_dims *output_dims);

/**
 * Depthwise convolution of packed int4 activations with packed int4 weights.
 *
 * @param ctx            scratch, mn_depthwise_conv_s4_get_buffer_size bytes
 * @param dw_conv_params offsets, multiplier, stride, padding, dilation; activation within -8 .. 7
 * @param quant_params   one multiplier and shift per output channel
 * @param input_dims     [n, h, w, c]
 * @param filter_dims    [1, h, w, output c]
 * @param bias_dims      not read; may be null
 * @param bias           one per output channel, or null
 * @param output_dims    [n, h, w, c * ch_mult]
 */
mn_status mn_depthwise_conv_s4(const mn_context *ctx, const mn_dw_conv_params *dw_conv_params,
                               const mn_per_channel_quant_params *quant_params,
                               const mn_dims *input_dims, const uint8_t *input,
                               const mn_dims *filter_dims, const uint8_t *filter,
                               const mn_dims *bias_dims, const int32_t *bias,
                               const mn_dims *output_dims, uint8_t *output);

/** Scratch bytes of mn_depthwise_conv_s4_w8. */
int32_t mn_depthwise_conv_s4_w8_get_buffer_size(const mn_dw_conv_params *dw_conv_params,
                                             const mn_dims *input_dims, const mn_dims *filter_dims,
                                             const mn_dims *output_dims);

/**
 * Depthwise convolution of packed int4 activations with int8 weights.
 *
 * @param ctx            scratch, mn_depthwise_conv_s4_w8_get_buffer_size bytes
 * @param dw_conv_params offsets, multiplier, stride, padding, dilation; activation within -8 .. 7
 * @param quant_params   one multiplier and shift per output channel
 * @param input_dims     [n, h, w, c]
 * @param filter_dims    [1, h, w, output c]
 * @param bias_dims      not read; may be null
 * @param bias           one per output channel, or null
 * @param output_dims    [n, h, w, c * ch_mult]
 */
mn_status mn_depthwise_conv_s4_w8(const mn_context *ctx, const mn_dw_conv_params *dw_conv_params,
                               const mn_per_channel_quant_params *quant_params,
                               const mn_dims *input_dims, const uint8_t *input,
                               const mn_dims *filter_dims, const int8_t *filter,
                               const mn_dims *bias_dims, const int32_t *bias,
                               const mn_dims *output_dims, uint8_t *output);

/** Scratch bytes of mn_depthwise_conv_s8_w16. */
int32_t mn_depthwise_conv_s8_w16_get_buffer_size(const mn_dw_conv_params *dw_conv_params,
                                             const mn_dims *input_dims, const mn_dims *filter_dims,
                                             const mn_dims *output_dims);

/**
 * Depthwise convolution of int8 activations with a prepared filter.
 *
 * @param ctx            scratch, mn_depthwise_conv_s8_w16_get_buffer_size bytes
 * @param dw_conv_params offsets, multiplier, stride, padding, dilation; activation within -128 .. 127
 * @param quant_params   one multiplier and shift per output channel
 * @param input_dims     [n, h, w, c]
 * @param filter_dims    [1, h, w, output c]
 * @param filter         prepared, bias and all: see above
 * @param bias_dims      not read; may be null
 * @param bias           not read; may be null
 * @param output_dims    [n, h, w, c * ch_mult]
 */
mn_status mn_depthwise_conv_s8_w16(const mn_context *ctx, const mn_dw_conv_params *dw_conv_params,
                               const mn_per_channel_quant_params *quant_params,
                               const mn_dims *input_dims, const int8_t *input,
                               const mn_dims *filter_dims, const int32_t *filter,
                               const mn_dims *bias_dims, const int32_t *bias,
                               const mn_dims *output_dims, int8_t *output);

/** Scratch bytes of mn_depthwise_conv_s4_w16. */
int32_t mn_depthwise_conv_s4_w16_get_buffer_size(const mn_dw_conv_params *dw_conv_params,
                                             const mn_dims *input_dims, const mn_dims *filter_dims,
                                             const mn_dims *output_dims);

/**
 * Depthwise convolution of packed int4 activations with a prepared filter.
 *
 * @param ctx            scratch, mn_depthwise_conv_s4_w16_get_buffer_size bytes
 * @param dw_conv_params offsets, multiplier, stride, padding, dilation; activation within -8 .. 7
 * @param quant_params   one multiplier and shift per output channel
 * @param input_dims     [n, h, w, c]
 * @param filter_dims    [1, h, w, output c]
 * @param filter         prepared, bias and all: see above
 * @param bias_dims      not read; may be null
 * @param bias           not read; may be null
 * @param output_dims    [n, h, w, c * ch_mult]
 */
mn_status mn_depthwise_conv_s4_w16(const mn_context *ctx, const mn_dw_conv_params *dw_conv_params,
                               const mn_per_channel_quant_params *quant_params,
                               const mn_dims *input_dims, const uint8_t *input,
                               const mn_dims *filter_dims, const int32_t *filter,
                               const mn_dims *bias_dims, const int32_t *bias,
                               const mn_dims *output_dims, uint8_t *output);

#ifdef __cplusplus
}
#endif

#endif
