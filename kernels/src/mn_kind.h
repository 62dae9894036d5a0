/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of a pair of data types, for the drivers of convolution and fully connected. A
 * program links those of the kernels it calls and no others.
 */
#ifndef MN_KIND_H
#define MN_KIND_H

#include <stddef.h>

#include "mn_columns.h"
#include "mn_matmul.h"
#include "mn_packing.h"
#include "mn_types.h"

typedef struct
{
    int32_t input_bits;
    int32_t weight_bits;
    mn_column *column_x4;    /* from the input; null: always by way of a patch */
    mn_column *column_x1;
    mn_column *patch_x4; /* from a patch of bytes */
    mn_column *patch_x1;
    mn_gather *gather;       /* input to patch */
    int32_t patch_bias;      /* what the patch holds more than the input */
    mn_copy *pad_weights; /* weights to rows of one group, when a row is shorter than a group */
    mn_fill *fill_weights;
    mn_matmul *matmul_x4;
    mn_matmul *matmul_x1;
    mn_finish *finish;
} mn_conv_kind;

extern const mn_conv_kind mn_kind_s8;
extern const mn_conv_kind mn_kind_s8_w4;
extern const mn_conv_kind mn_kind_s4;
extern const mn_conv_kind mn_kind_s4_w8;

/* Weights that one word holds: the depth of a column is padded to one group at least. */
MN_INLINE int32_t mn_group_of(const mn_conv_kind *kind)
{
    return kind->weight_bits == 8 ? MN_GROUP_W8 : MN_GROUP_W4;
}

/*
 * Rows shorter than a group, padded with zero weights to one group each in `padded`, 4 bytes a row.
 */
void mn_pad_rows(const mn_conv_kind *kind, void *padded, const void *filter, int32_t rows,
                 int32_t depth);

/* `matmul` with rows whose bias may be null: they are multiplied some at a time beside zeros. */
void mn_multiply(mn_matmul *matmul, const uint32_t *columns, const void *weights, int32_t first,
                 const mn_rows *rows, int8_t *output, int32_t output_step);

#endif
