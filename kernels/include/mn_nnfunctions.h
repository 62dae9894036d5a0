/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 8-bit and 4-bit integer kernels for neural networks on Cortex-M.
 *
 * Names. The suffix names the activations, _s8 or _s4; _w4 or _w8 follows where the weights differ
 * from them: mn_convolve_s8 (int8 x int8), mn_convolve_s8_w4 (int8 activations, int4 weights),
 * mn_convolve_s4 (int4 x int4), mn_convolve_s4_w8 (int4 activations, int8 weights). _w16 takes weights
 * that were widened and arranged ahead.
 *
 * Tensors. NHWC. int8 tensors are arrays of int8_t. int4 tensors hold two elements a byte, the even
 * element in the low nibble, flat over the whole tensor (rows and channels of odd size are not
 * padded); the unused half of the last byte of an output is written as zero. Filters of convolution
 * and fully connected are [output channels, h, w, input channels], of depthwise [1, h, w, output
 * channels]. Biases are int32 or null. Tensors and filters need no alignment, int32 arrays that of
 * int32_t.
 *
 * Arithmetic. TFLite's quantisation specification, to the bit: sums in int32 (modulo 2^32), scaled by
 * MultiplyByQuantizedMultiplier with two roundings, then the output offset, then the activation's
 * bounds. Multipliers are 0 or 2^30 .. 2^31 - 1 and shifts -31 .. 30. int4 activations follow the same
 * formulas with values -8 .. 7 (docs/quantization.md).
 *
 * Errors. Every function checks its arguments before it touches a tensor and returns MN_ARG_ERROR for
 * null pointers, dimensions that are not positive, do not belong together or leave int32, strides,
 * paddings and dilations above 65535, offsets and bounds that the type cannot hold, and a scratch
 * buffer that is missing, unaligned or too small.
 * Buffer size functions return bytes, or MN_ARG_ERROR.
 *
 * Overlap. Inputs may be overwritten by outputs that begin at least D bytes below them (D = 0: in
 * place); each kernel states the smallest safe D. There, end(s) is the byte after the last one that
 * step s of the kernel writes and first(s) the first input byte that a later step reads, both
 * relative to their tensors; D is the largest end(s) - first(s) over all steps but the last, or 0.
 * predictor/operators/mn computes it. Output and scratch, filter or bias must not overlap.
 */
#ifndef MN_NNFUNCTIONS_H
#define MN_NNFUNCTIONS_H

#include <stddef.h>

#include "mn_convolutions.h"
#include "mn_types.h"
#include "mn_version.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Fully connected. The filter is [output c, h, w, c] with h * w * c the inputs of one batch (as many as
 * the input's h * w * c).
 *
 * Scratch: as convolution, but one column instead of four, 1 byte per output channel for int4
 * outputs (rounded up to 4), and a patch of int8 for _s4_w8 only.
 *
 * Overlap: a step is a batch, whose inputs are all read before its outputs are written. One batch:
 * D = 0.
 *
 * Source: TFLite reference_integer_ops::FullyConnected (and FullyConnectedPerChannel).
 */

/** Scratch bytes of mn_fully_connected_s8: a column of inputs, the sums of rows deeper than 1024, or none. */
int32_t mn_fully_connected_s8_get_buffer_size(const mn_dims *input_dims, const mn_dims *filter_dims,
                                              const mn_dims *output_dims);

/**
 * Fully connected layer of int8 activations with int8 weights.
 *
 * @param ctx          scratch, mn_fully_connected_s8_get_buffer_size bytes
 * @param fc_params    offsets; activation within -128 .. 127
 * @param quant_params one multiplier and shift, or one per output channel
 * @param input_dims   [n, h, w, c]
 * @param filter_dims  [output c, h, w, c]
 * @param bias_dims    not read; may be null
 * @param bias         one per output channel, or null
 * @param output_dims  [n, 1, 1, output c]
 */
mn_status mn_fully_connected_s8(const mn_context *ctx, const mn_fc_params *fc_params,
                                const mn_quant_params *quant_params, const mn_dims *input_dims,
                                const int8_t *input, const mn_dims *filter_dims, const int8_t *filter,
                                const mn_dims *bias_dims, const int32_t *bias,
                                const mn_dims *output_dims, int8_t *output);

/** Scratch bytes of mn_fully_connected_s8_w4. */
int32_t mn_fully_connected_s8_w4_get_buffer_size(const mn_dims *input_dims, const mn_dims *filter_dims,
                                              const mn_dims *output_dims);

/**
 * Fully connected layer of int8 activations with packed int4 weights.
 *
 * @param ctx          scratch, mn_fully_connected_s8_w4_get_buffer_size bytes
 * @param fc_params    offsets; activation within -128 .. 127
 * @param quant_params one multiplier and shift, or one per output channel
 * @param input_dims   [n, h, w, c]
 * @param filter_dims  [output c, h, w, c]
 * @param bias_dims    not read; may be null
 * @param bias         one per output channel, or null
 * @param output_dims  [n, 1, 1, output c]
 */
mn_status mn_fully_connected_s8_w4(const mn_context *ctx, const mn_fc_params *fc_params,
                                const mn_quant_params *quant_params, const mn_dims *input_dims,
                                const int8_t *input, const mn_dims *filter_dims, const uint8_t *filter,
                                const mn_dims *bias_dims, const int32_t *bias,
                                const mn_dims *output_dims, int8_t *output);

/** Scratch bytes of mn_fully_connected_s4. */
int32_t mn_fully_connected_s4_get_buffer_size(const mn_dims *input_dims, const mn_dims *filter_dims,
                                              const mn_dims *output_dims);

/**
 * Fully connected layer of packed int4 activations with packed int4 weights.
 *
 * @param ctx          scratch, mn_fully_connected_s4_get_buffer_size bytes
 * @param fc_params    offsets; activation within -8 .. 7
 * @param quant_params one multiplier and shift, or one per output channel
 * @param input_dims   [n, h, w, c]
 * @param filter_dims  [output c, h, w, c]
 * @param bias_dims    not read; may be null
 * @param bias         one per output channel, or null
 * @param output_dims  [n, 1, 1, output c]
 */
mn_status mn_fully_connected_s4(const mn_context *ctx, const mn_fc_params *fc_params,
                                const mn_quant_params *quant_params, const mn_dims *input_dims,
                                const uint8_t *input, const mn_dims *filter_dims, const uint8_t *filter,
                                const mn_dims *bias_dims, const int32_t *bias,
                                const mn_dims *output_dims, uint8_t *output);

/** Scratch bytes of mn_fully_connected_s4_w8. */
int32_t mn_fully_connected_s4_w8_get_buffer_size(const mn_dims *input_dims, const mn_dims *filter_dims,
                                              const mn_dims *output_dims);

/**
 * Fully connected layer of packed int4 activations with int8 weights.
 *
 * @param ctx          scratch, mn_fully_connected_s4_w8_get_buffer_size bytes
 * @param fc_params    offsets; activation within -8 .. 7
 * @param quant_params one multiplier and shift, or one per output channel
 * @param input_dims   [n, h, w, c]
 * @param filter_dims  [output c, h, w, c]
 * @param bias_dims    not read; may be null
 * @param bias         one per output channel, or null
 * @param output_dims  [n, 1, 1, output c]
 */
mn_status mn_fully_connected_s4_w8(const mn_context *ctx, const mn_fc_params *fc_params,
                                const mn_quant_params *quant_params, const mn_dims *input_dims,
                                const uint8_t *input, const mn_dims *filter_dims, const int8_t *filter,
                                const mn_dims *bias_dims, const int32_t *bias,
                                const mn_dims *output_dims, uint8_t *output);

/*
 * Pooling. Windows are clipped to the image and must hold at least one of its elements; an average
 * divides by the elements left, half away from zero. Only h and w of filter_dims are read. No scratch.
 *
 * Overlap: a step is up to four channels of one position (_s4: one channel); D is that of TFLite's
 * reference kernel.
 *
 * Source: TFLite reference_integer_ops::AveragePool and MaxPool.
 */

/** Average pooling of int8 activations. */
mn_status mn_avgpool_s8(const mn_pool_params *pool_params, const mn_dims *input_dims,
                     const int8_t *input, const mn_dims *filter_dims, const mn_dims *output_dims,
                     int8_t *output);

/** Max pooling of int8 activations. */
mn_status mn_max_pool_s8(const mn_pool_params *pool_params, const mn_dims *input_dims,
                     const int8_t *input, const mn_dims *filter_dims, const mn_dims *output_dims,
                     int8_t *output);

/** Average pooling of packed int4 activations. */
mn_status mn_avgpool_s4(const mn_pool_params *pool_params, const mn_dims *input_dims,
                     const uint8_t *input, const mn_dims *filter_dims, const mn_dims *output_dims,
                     uint8_t *output);

/** Max pooling of packed int4 activations. */
mn_status mn_max_pool_s4(const mn_pool_params *pool_params, const mn_dims *input_dims,
                     const uint8_t *input, const mn_dims *filter_dims, const mn_dims *output_dims,
                     uint8_t *output);

/*
 * Element-wise operators on block_size elements; outputs may be inputs (D = 0). No scratch.
 *
 * Source: TFLite reference_integer_ops::Add, reference_ops::Requantize, ReluX; a table stands for
 * Logistic, Tanh, HardSwish, QuantizeLeakyRelu and ReluQuantized of the 256 values of int8.
 */

/** Sum of two int8 tensors with their own scales; all shifts <= 0. */
mn_status mn_elementwise_add_s8(const mn_add_params *add_params, const int8_t *input1,
                                const int8_t *input2, int8_t *output, int32_t block_size);

/** Values limited to the activation: ReLU, ReLU6 and others in quantised values. */
mn_status mn_clamp_s8(const mn_activation *activation, const int8_t *input, int8_t *output,
                      int32_t block_size);

/** Sum of two packed int4 tensors with their own scales; all shifts <= 0. */
mn_status mn_elementwise_add_s4(const mn_add_params *add_params, const uint8_t *input1,
                                const uint8_t *input2, uint8_t *output, int32_t block_size);

/** Values limited to the activation: ReLU, ReLU6 and others in quantised values. */
mn_status mn_clamp_s4(const mn_activation *activation, const uint8_t *input, uint8_t *output,
                      int32_t block_size);

/** int8 to packed int4 with another scale and zero point. */
mn_status mn_requantize_s8_s4(const mn_requantize_params *params, const int8_t *input,
                              uint8_t *output, int32_t block_size);

/** Packed int4 to int8 with another scale and zero point; D = bytes of the output (no overlap). */
mn_status mn_requantize_s4_s8(const mn_requantize_params *params, const uint8_t *input,
                              int8_t *output, int32_t block_size);

/** table[value modulo 256] of each value: an activation function of int8 to int8. */
mn_status mn_lookup_s8(const int8_t *table, const int8_t *input, int8_t *output,
                       int32_t block_size);

/*
 * Element-wise operators of two tensors, each of whose dimensions is 1, which repeats it, or the
 * output's. No scratch.
 *
 * Overlap: an input of the output's dimensions D = 0, provided that the other is another tensor;
 * one that is repeated D = bytes of the output (no overlap).
 *
 * Source: TFLite reference_integer_ops::Mul, reference_ops::Sub, BroadcastAdd4DSlow,
 * MaximumMinimumBroadcastSlow.
 */

/** Sum of two int8 tensors with their own scales; all shifts <= 0. */
mn_status mn_broadcast_add_s8(const mn_add_params *params, const mn_dims *input1_dims,
                              const int8_t *input1, const mn_dims *input2_dims,
                              const int8_t *input2, const mn_dims *output_dims, int8_t *output);

/** The first less the second int8 tensor; parameters as of their sum. */
mn_status mn_sub_s8(const mn_add_params *params, const mn_dims *input1_dims, const int8_t *input1,
                    const mn_dims *input2_dims, const int8_t *input2, const mn_dims *output_dims,
                    int8_t *output);

/** Product of two int8 tensors. */
mn_status mn_mul_s8(const mn_mul_params *params, const mn_dims *input1_dims, const int8_t *input1,
                    const mn_dims *input2_dims, const int8_t *input2, const mn_dims *output_dims,
                    int8_t *output);

/** The larger of two int8 values, which have one scale. */
mn_status mn_maximum_s8(const mn_dims *input1_dims, const int8_t *input1,
                        const mn_dims *input2_dims, const int8_t *input2,
                        const mn_dims *output_dims, int8_t *output);

/** The smaller of two int8 values, which have one scale. */
mn_status mn_minimum_s8(const mn_dims *input1_dims, const int8_t *input1,
                        const mn_dims *input2_dims, const int8_t *input2,
                        const mn_dims *output_dims, int8_t *output);

/*
 * Mean over `reduced` (up to 2^22) elements that lie `inner` apart, `outer` times. No scratch.
 *
 * Overlap: means of up to four values are written when all of them were read: D = 0.
 *
 * Source: TFLite reference_ops::QuantizedMeanOrSum, whose multiplier and shift hold the division.
 */

/** Mean of int8 values. */
mn_status mn_mean_s8(const mn_requantize_params *params, int32_t outer, int32_t reduced,
                     int32_t inner, const int8_t *input, int8_t *output);

/*
 * Softmax of num_rows rows of row_size (< 4096) elements to int8 probabilities with zero point -128
 * and scale 1 / 256. mult, shift and diff_min as TFLite's PreprocessSoftmaxScaling and
 * CalculateInputRadius make them from the input's scale. No scratch.
 *
 * Overlap: int8 D = 0; int4 D = bytes of the output (no overlap).
 *
 * Source: TFLite reference_ops::Softmax for quantised types, gemmlowp fixedpoint.h.
 */

/** Softmax of int8 rows. */
mn_status mn_softmax_s8(const int8_t *input, int32_t num_rows, int32_t row_size, int32_t mult,
                        int32_t shift, int32_t diff_min, int8_t *output);

/** Softmax of packed int4 rows. */
mn_status mn_softmax_s4(const uint8_t *input, int32_t num_rows, int32_t row_size, int32_t mult,
                        int32_t shift, int32_t diff_min, int8_t *output);

/*
 * Padding with a constant: before and after give the elements added at both ends of each dimension.
 * No scratch. Overlap: D = bytes of the output (no overlap). Source: TFLite reference_ops::Pad.
 */

/** Padding of int8 tensors with `value`. */
mn_status mn_pad_s8(int32_t value, const mn_dims *input_dims, const int8_t *input,
                    const mn_dims *before, const mn_dims *after, int8_t *output);

/** Padding of packed int4 tensors with `value`. */
mn_status mn_pad_s4(int32_t value, const mn_dims *input_dims, const uint8_t *input,
                    const mn_dims *before, const mn_dims *after, uint8_t *output);

#ifdef __cplusplus
}
#endif

#endif
