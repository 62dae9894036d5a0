/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver of fully connected: batch by batch, the inputs copied into a column first. Where that
 * would be larger than MN_MOST_COLUMN inputs, or serve MN_FEW_ROWS rows or fewer, and there is a kernel
 * without, only the sums of all rows are kept, in scratch where there are more than a few.
 */
#ifndef MN_DENSE_H
#define MN_DENSE_H

#include "mn_kind.h"

#define MN_MOST_COLUMN 1024
#define MN_FEW_ROWS 4

/* Sums of all rows, biases included, for one batch of int8 inputs. */
typedef void mn_dot(const int8_t *input, int32_t offset, const int8_t *weights, const mn_rows *rows,
                    int32_t *sums);

mn_dot mn_dot_s8_w8;

typedef struct
{
    const mn_conv_kind *kind;
    mn_dot *dot; /* null: always by way of a column */
    const mn_fc_params *params;
    const mn_quant_params *quant_params;
    const mn_dims *input_dims;
    const void *input;
    const mn_dims *filter_dims;
    const void *filter;
    const int32_t *bias;
    const mn_dims *output_dims;
    void *output;
} mn_dense;

int32_t mn_dense_buffer_size(const mn_conv_kind *kind, mn_dot *dot, const mn_dims *input_dims,
                             const mn_dims *filter_dims, const mn_dims *output_dims);

mn_status mn_dense_run(const mn_context *ctx, const mn_dense *layer);

#endif
