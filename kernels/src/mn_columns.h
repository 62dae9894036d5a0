/*
 * From activations to columns: int16 pairs with the input offset added, in the order of mn_matmul.h.
 *
 * `step` is the distance of a column's words: 4 for interleaved columns, 1 for a single one. Each
 * function returns where the next word of the column goes.
 */
#ifndef MN_COLUMNS_H
#define MN_COLUMNS_H

#include "mn_intrinsics.h"

/* The offset in both lanes. */
MN_INLINE uint32_t mn_offset_pair(int32_t offset)
{
    return ((uint32_t)offset & 0xFFFFu) | ((uint32_t)offset << 16);
}

/* `count` >= 1 values from element `first` of the tensor or patch on. */
typedef uint32_t *mn_column(uint32_t *column, int32_t step, const void *input, int32_t first,
                            int32_t count, int32_t offset);

mn_column mn_column_s8_w8; /* int8 values for int8 weights */
mn_column mn_column_s8_w4; /* int8 values for int4 weights */
mn_column mn_column_s4_w4; /* packed int4 values for int4 weights */

/* `words` words of inputs that equal the zero point. */
uint32_t *mn_column_zero(uint32_t *column, int32_t step, int32_t words);

#endif
