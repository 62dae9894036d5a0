/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From activations to columns: int16 pairs with the input offset added, in the order of mn_matmul.h. A
 * column's words are four apart (x4, four interleaved columns) or neighbours (x1).
 */
#ifndef MN_COLUMNS_H
#define MN_COLUMNS_H

#include "mn_intrinsics.h"

/* The offset in both lanes. */
MN_INLINE uint32_t mn_offset_pair(int32_t offset)
{
    return ((uint32_t)offset & 0xFFFFu) | ((uint32_t)offset << 16);
}

/* Values in rows of `count` >= 1. */
typedef struct
{
    int32_t first; /* element of the tensor or patch */
    int32_t count;
    int32_t rows;
    int32_t distance; /* elements from a row's first to the next one's */
    int32_t gap;      /* elements between the end of a row and the next one in column or patch */
} mn_piece;

/* Where there is more than one row, `count` and the gap are multiples of the group, and `distance` is even. */
typedef void mn_column(uint32_t *column, const void *input, const mn_piece *piece, int32_t offset);

mn_column mn_column_x4_s8_w8; /* int8 values for int8 weights */
mn_column mn_column_x1_s8_w8;
mn_column mn_column_x4_s8_w4; /* int8 values for int4 weights */
mn_column mn_column_x1_s8_w4;
mn_column mn_column_x4_s4_w4; /* packed int4 values for int4 weights */
mn_column mn_column_x1_s4_w4;

/* The same as bytes. */
typedef void mn_gather(int8_t *patch, const void *input, const mn_piece *piece);

mn_gather mn_gather_s8;
mn_gather mn_gather_s4; /* packed int4, MN_NIBBLE_BIAS added */

/* `words` words, `step` apart, of inputs that equal the zero point. */
void mn_column_zero(uint32_t *column, int32_t step, int32_t words);

#endif
