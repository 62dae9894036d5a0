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
    mn_column *column;       /* from the input; null: always by way of a patch */
    mn_column *patch_column; /* from a patch of bytes */
    mn_copy *gather;         /* input to patch */
    int32_t patch_bias;      /* what the patch holds more than the input */
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

#endif
