/*
 * The driver of convolution and fully connected: blocks of four output positions, all channels of a
 * block before the next one, the inputs of a block copied into columns before it is written.
 *
 * A kernel file supplies an mn_conv_kind: the functions for its two data types. Nothing else of the
 * library is linked with it.
 */
#ifndef MN_CONVOLUTION_H
#define MN_CONVOLUTION_H

#include "mn_columns.h"
#include "mn_matmul.h"
#include "mn_packing.h"
#include <stddef.h>
#include "mn_types.h"

typedef struct
{
    int32_t input_bits;
    int32_t weight_bits;
    mn_column *column;       /* from the input; null: always by way of a patch */
    mn_column *patch_column; /* from a patch of int8 values */
    mn_copy *gather;         /* input to patch */
    mn_copy *pad_weights; /* weights to rows of one group, when a row is shorter than a group */
    mn_fill *fill_weights;
    mn_matmul_x4 *matmul_x4;
    mn_matmul_x1 *matmul_x1;
    mn_finish *finish;
} mn_conv_kind;

extern const mn_conv_kind mn_kind_s8;
extern const mn_conv_kind mn_kind_s8_w4;
extern const mn_conv_kind mn_kind_s4;
extern const mn_conv_kind mn_kind_s4_w8;

/* A convolution; fully connected is one with a 1 x 1 kernel and batches for positions. */
typedef struct
{
    const mn_conv_kind *kind;
    const mn_conv_params *params;
    mn_rows rows; /* of all output channels; depth is that of one group */
    const mn_dims *input_dims;
    const void *input;
    const mn_dims *filter_dims;
    const void *filter;
    const mn_dims *output_dims;
    void *output;
} mn_convolution;

/* Scratch bytes of a convolution, or MN_ARG_ERROR. */
int32_t mn_convolution_buffer_size(const mn_conv_kind *kind, const mn_conv_params *params,
                                   const mn_dims *input_dims, const mn_dims *filter_dims,
                                   const mn_dims *output_dims);

/* Checks everything, then runs. */
mn_status mn_convolution_run(const mn_context *ctx, mn_convolution *convolution,
                             const int32_t *bias);

#endif
