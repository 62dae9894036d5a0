/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inner loops: rows of packed weights times columns of activations widened to int16.
 *
 * A column holds one output position's `depth` inputs (input_offset added) in the order in which a
 * weight word unpacks, so that unpacking needs no shuffling:
 *   int8 weights, groups of 4 inputs: pairs (0, 2), (1, 3);
 *   int4 weights, groups of 8 inputs: pairs (0, 4), (2, 6), (1, 5), (3, 7).
 * Four columns are interleaved pair by pair (x4), so that one LDM reads the same pair of all four;
 * a single column (x1) is contiguous. When depth is not a multiple of the group, a last group
 * covers the last inputs again, with zeros in the lanes already counted: every weight is read as a whole
 * word inside its own row, whatever the depth. With int4 weights, 1 to 4 remaining inputs take a
 * half group of 4 inputs: pairs (0, 2), (1, 3). Rows are at least one group deep.
 */
#ifndef MN_MATMUL_H
#define MN_MATMUL_H

#include "mn_intrinsics.h"

#define MN_GROUP_W8 4
#define MN_GROUP_W4 8

/* One set of weight rows and how its sums become int8 outputs. */
typedef struct
{
    int32_t rows;
    int32_t depth;             /* inputs per row, >= the group size */
    const int32_t *bias;       /* one per row */
    const int32_t *multiplier; /* one per row when quant_step is 1, one in all when it is 0 */
    const int32_t *shift;
    int32_t quant_step;
    int32_t output_offset;
} mn_rows;

/* Words of one column. */
MN_INLINE int32_t mn_column_words(int32_t depth, int32_t group)
{
    const int32_t rest = depth & (group - 1);
    const int32_t unit = depth < group || rest > 4 ? group : 4;
    return (int32_t)((((uint32_t)depth + (uint32_t)unit - 1) & (uint32_t)-unit) >> 1);
}

/*
 * Row r of position p goes to output[p * output_step + r]; x4 takes four positions, x1 one. The
 * weights start at element `first` of the tensor (a nibble index where they are int4).
 */
typedef void mn_matmul(const uint32_t *columns, const void *weights, int32_t first,
                       const mn_rows *rows, int8_t *output, int32_t output_step);

mn_matmul mn_matmul_x4_w8;
mn_matmul mn_matmul_x4_w4;
mn_matmul mn_matmul_x1_w8;
mn_matmul mn_matmul_x1_w4;

/*
 * The same row by row in C: the portable build, and rows that the assembler leaves out. The sum of
 * a row, bias included, whose column words are `step` apart; and the output of a sum.
 */
typedef int32_t mn_row_sum(const uint32_t *column, int32_t step, const void *weights,
                           const mn_rows *rows, int32_t first, int32_t row);

mn_row_sum mn_row_w8;
mn_row_sum mn_row_w4;
int8_t mn_row_output(const mn_rows *rows, int32_t row, int32_t sum);
void mn_run_each_row(mn_row_sum *row_sum, const uint32_t *columns, int32_t positions,
                     const void *weights, int32_t first, const mn_rows *rows, int8_t *output,
                     int32_t output_step);

#endif
