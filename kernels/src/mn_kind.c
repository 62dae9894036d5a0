/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_kind.h"

const mn_conv_kind mn_kind_s8 = {
    .input_bits = 8,
    .weight_bits = 8,
    .column_x4 = mn_column_x4_s8_w8,
    .column_x1 = mn_column_x1_s8_w8,
    .patch_x4 = mn_column_x4_s8_w8,
    .patch_x1 = mn_column_x1_s8_w8,
    .gather = mn_gather_s8,
    .patch_bias = 0,
    .pad_weights = mn_copy_s8,
    .fill_weights = mn_fill_s8,
    .matmul_x4 = mn_matmul_x4_w8,
    .matmul_x1 = mn_matmul_x1_w8,
    .finish = mn_finish_s8,
};

const mn_conv_kind mn_kind_s8_w4 = {
    .input_bits = 8,
    .weight_bits = 4,
    .column_x4 = mn_column_x4_s8_w4,
    .column_x1 = mn_column_x1_s8_w4,
    .patch_x4 = mn_column_x4_s8_w4,
    .patch_x1 = mn_column_x1_s8_w4,
    .gather = mn_gather_s8,
    .patch_bias = 0,
    .pad_weights = mn_copy_s4,
    .fill_weights = mn_fill_s4,
    .matmul_x4 = mn_matmul_x4_w4,
    .matmul_x1 = mn_matmul_x1_w4,
    .finish = mn_finish_s8,
};

const mn_conv_kind mn_kind_s4 = {
    .input_bits = 4,
    .weight_bits = 4,
    .column_x4 = mn_column_x4_s4_w4,
    .column_x1 = mn_column_x1_s4_w4,
    .patch_x4 = mn_column_x4_s8_w4,
    .patch_x1 = mn_column_x1_s8_w4,
    .gather = mn_gather_s4,
    .patch_bias = MN_NIBBLE_BIAS,
    .pad_weights = mn_copy_s4,
    .fill_weights = mn_fill_s4,
    .matmul_x4 = mn_matmul_x4_w4,
    .matmul_x1 = mn_matmul_x1_w4,
    .finish = mn_finish_s4,
};

const mn_conv_kind mn_kind_s4_w8 = {
    .input_bits = 4,
    .weight_bits = 8,
    .column_x4 = NULL,
    .column_x1 = NULL,
    .patch_x4 = mn_column_x4_s8_w8,
    .patch_x1 = mn_column_x1_s8_w8,
    .gather = mn_gather_s4,
    .patch_bias = MN_NIBBLE_BIAS,
    .pad_weights = mn_copy_s8,
    .fill_weights = mn_fill_s8,
    .matmul_x4 = mn_matmul_x4_w8,
    .matmul_x1 = mn_matmul_x1_w8,
    .finish = mn_finish_s4,
};

void mn_pad_rows(const mn_conv_kind *kind, void *padded, const void *filter, int32_t rows,
                 int32_t depth)
{
    const int32_t group = mn_group_of(kind);
    kind->fill_weights(padded, 0, 0, rows * group);
    for (int32_t row = 0; row < rows; ++row)
    {
        kind->pad_weights(padded, row * group, filter, row * depth, depth);
    }
}

#define MN_ZEROS 32

void mn_multiply(mn_matmul *matmul, const uint32_t *columns, const void *weights, int32_t first,
                 const mn_rows *rows, int8_t *output, int32_t output_step)
{
    static const int32_t zeros[MN_ZEROS] = {0};
    if (rows->bias != NULL)
    {
        matmul(columns, weights, first, rows, output, output_step);
        return;
    }
    mn_rows part = *rows;
    part.bias = zeros;
    for (int32_t left = rows->rows; left > 0; left -= MN_ZEROS)
    {
        part.rows = left < MN_ZEROS ? left : MN_ZEROS;
        matmul(columns, weights, first, &part, output, output_step);
        first += MN_ZEROS * rows->depth;
        output += MN_ZEROS;
        part.multiplier += MN_ZEROS * rows->quant_step;
        part.shift += MN_ZEROS * rows->quant_step;
    }
}
