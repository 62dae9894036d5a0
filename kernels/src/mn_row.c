/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_matmul.h"
#include "mn_packing.h"
#include "mn_requantize.h"

int32_t mn_row_w8(const uint32_t *column, int32_t step, const void *weights, const mn_rows *rows,
                  int32_t first, int32_t row)
{
    const int8_t *const weight = (const int8_t *)weights + first + row * rows->depth;
    const int32_t last = rows->depth - MN_GROUP_W8;
    int32_t sum = rows->bias[row];
    for (int32_t done = 0; done < rows->depth; done += MN_GROUP_W8, column += 2 * step)
    {
        const uint32_t word = mn_read_u32(weight + (done < last ? done : last));
        sum = mn_smlad(mn_sxtb16(word), column[0], sum);
        sum = mn_smlad(mn_sxtb16_ror8(word), column[step], sum);
    }
    return sum;
}

int32_t mn_row_w4(const uint32_t *column, int32_t step, const void *weights, const mn_rows *rows,
                  int32_t first, int32_t row)
{
    const int32_t start = first + row * rows->depth;
    const int32_t depth = rows->depth;
    const int32_t rest = depth % MN_GROUP_W4;
    int32_t sum = rows->bias[row];
    for (int32_t done = 0; done < depth; done += MN_GROUP_W4)
    {
        const int32_t is_half = depth - done < MN_GROUP_W4 && rest <= 4;
        const int32_t size = is_half ? 4 : MN_GROUP_W4;
        const int32_t last = depth - size;
        const int32_t at = start + (done < last ? done : last);
        /* Elements (0, 4), (2, 6), (1, 5), (3, 7), or (0, 2), (1, 3). */
        for (int32_t pair = 0; pair < size / 2; ++pair, column += step)
        {
            const int32_t low = is_half ? pair : (pair % 2) * 2 + pair / 2;
            const uint32_t even = (uint32_t)mn_get_s4(weights, at + low);
            const uint32_t odd = (uint32_t)mn_get_s4(weights, at + low + size / 2);
            sum = mn_smlad(mn_pkhbt(even, odd), *column, sum);
        }
    }
    return sum;
}

int8_t mn_row_output(const mn_rows *rows, int32_t row, int32_t sum)
{
    const int32_t quant = row * rows->quant_step;
    return (int8_t)mn_requantize_s8_inline(sum, rows->multiplier[quant], rows->shift[quant],
                                           rows->output_offset);
}

void mn_run_each_row(mn_row_sum *row_sum, const uint32_t *columns, int32_t positions,
                     const void *weights, int32_t first, const mn_rows *rows, int8_t *output,
                     int32_t output_step)
{
    for (int32_t row = 0; row < rows->rows; ++row)
    {
        for (int32_t position = 0; position < positions; ++position)
        {
            const int32_t sum = row_sum(columns + position, positions, weights, rows, first, row);
            output[position * output_step + row] = mn_row_output(rows, row, sum);
        }
    }
}
