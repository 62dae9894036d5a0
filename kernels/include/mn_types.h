/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types shared by all kernels. They mirror CMSIS-NN's in meaning and order, except that quantisation
 * arrays are const (they may lie in flash) and that no context size may be left out.
 */
#ifndef MN_TYPES_H
#define MN_TYPES_H

#include <stdint.h>

/** What a kernel returns. On MN_ARG_ERROR nothing was read or written through the data pointers. */
typedef enum
{
    MN_SUCCESS = 0,    /**< output written */
    MN_ARG_ERROR = -1, /**< a dimension, parameter, pointer or the scratch size is out of range */
} mn_status;

/** Scratch memory of a kernel; its content need not survive between calls. */
typedef struct
{
    void *buf;    /**< 4-byte aligned; may be null when the kernel's get_buffer_size is 0 */
    int32_t size; /**< bytes at buf, at least what the kernel's get_buffer_size returns */
} mn_context;

/** Tensor dimensions, NHWC; filters are [n = output channels, h, w, c = input channels]. */
typedef struct
{
    int32_t n;
    int32_t h;
    int32_t w;
    int32_t c;
} mn_dims;

/** Strides, padding or dilation. */
typedef struct
{
    int32_t w;
    int32_t h;
} mn_tile;

/** Fused activation: both bounds inclusive, in the output's quantised values. */
typedef struct
{
    int32_t min;
    int32_t max;
} mn_activation;

/** Convolution. */
typedef struct
{
    int32_t input_offset;  /**< minus the input's zero point */
    int32_t output_offset; /**< the output's zero point */
    mn_tile stride;
    mn_tile padding; /**< left and top; right and bottom follow from the output dimensions */
    mn_tile dilation;
    mn_activation activation;
} mn_conv_params;

/** Depthwise convolution. */
typedef struct
{
    int32_t input_offset;  /**< minus the input's zero point */
    int32_t output_offset; /**< the output's zero point */
    int32_t ch_mult;       /**< output channels per input channel */
    mn_tile stride;
    mn_tile padding;
    mn_tile dilation;
    mn_activation activation;
} mn_dw_conv_params;

/** Fully connected. The weights' zero point is 0, as TFLite's int8 specification demands. */
typedef struct
{
    int32_t input_offset;  /**< minus the input's zero point */
    int32_t output_offset; /**< the output's zero point */
    mn_activation activation;
} mn_fc_params;

/** Pooling. */
typedef struct
{
    mn_tile stride;
    mn_tile padding;
    mn_activation activation;
} mn_pool_params;

/**
 * One multiplier and shift per output channel: real scale = multiplier * 2^(shift - 31),
 * multiplier 0 or 2^30 .. 2^31 - 1, shift -31 .. 30, as TFLite's QuantizeMultiplier makes them.
 */
typedef struct
{
    const int32_t *multiplier;
    const int32_t *shift;
} mn_per_channel_quant_params;

/** One multiplier and shift, or one per output channel, of a fully connected layer. */
typedef struct
{
    const int32_t *multiplier;
    const int32_t *shift;
    int32_t is_per_channel; /**< 0: the arrays have one element */
} mn_quant_params;

/** Element-wise addition; ranges as TFLite's ArithmeticParams (shifts of the inputs <= 0). */
typedef struct
{
    int32_t input1_offset; /**< minus the first input's zero point */
    int32_t input1_multiplier;
    int32_t input1_shift;
    int32_t input2_offset;
    int32_t input2_multiplier;
    int32_t input2_shift;
    int32_t left_shift; /**< headroom shift of both inputs, 20 in TFLite; 0 .. 20 */
    int32_t output_offset;
    int32_t output_multiplier;
    int32_t output_shift;
    mn_activation activation;
} mn_add_params;

/** Element-wise multiplication. */
typedef struct
{
    int32_t input1_offset; /**< minus the first input's zero point */
    int32_t input2_offset;
    int32_t output_offset; /**< the output's zero point */
    int32_t multiplier;
    int32_t shift;
    mn_activation activation;
} mn_mul_params;

/** From one scale and zero point to another. */
typedef struct
{
    int32_t input_offset; /**< minus the input's zero point */
    int32_t multiplier;
    int32_t shift;
    int32_t output_offset; /**< the output's zero point */
} mn_requantize_params;

#endif
