/*
 * int8 weights times one row of int8 inputs, two rows of weights at a time, for rows so deep that a
 * column of widened inputs would take much memory: per 4 inputs 3 loads, 2 + 4 unpacks and 4 SMLAD.
 */
#include "mn_columns.h"
#include "mn_fully_connected.h"

/* Up to 3 products that are left of a row. */
MN_INLINE int32_t mn_add_rest(int32_t sum, const int8_t *input, const int8_t *weight, int32_t count,
                              int32_t offset)
{
    for (; count > 0; --count)
    {
        sum = mn_smlabb((uint32_t)(*input++ + offset), (uint32_t)*weight++, sum);
    }
    return sum;
}

void mn_dot_s8_w8(const int8_t *input, int32_t offset, const int8_t *weights, const mn_rows *rows,
                  int32_t *sums)
{
    const uint32_t pair = mn_offset_pair(offset);
    const int32_t whole = rows->depth & ~3;
    for (int32_t row = 0; row < rows->rows; row += 2)
    {
        /* The last of an odd number of rows is its own partner. */
        const int32_t next = row + 1 < rows->rows ? row + 1 : row;
        const int8_t *weight0 = weights + row * rows->depth;
        const int8_t *weight1 = weights + next * rows->depth;
        int32_t sum0 = rows->bias[row * rows->bias_step];
        int32_t sum1 = rows->bias[next * rows->bias_step];
        const int8_t *from = input;
        for (const int8_t *const end = input + whole; from != end; from += 4)
        {
            const uint32_t word = mn_read_u32(from);
            const uint32_t even = mn_sxtab16(pair, word);
            const uint32_t odd = mn_sxtab16_ror8(pair, word);
            const uint32_t word0 = mn_read_u32(weight0);
            const uint32_t word1 = mn_read_u32(weight1);
            sum0 = mn_smlad(mn_sxtb16(word0), even, sum0);
            sum1 = mn_smlad(mn_sxtb16(word1), even, sum1);
            sum0 = mn_smlad(mn_sxtb16_ror8(word0), odd, sum0);
            sum1 = mn_smlad(mn_sxtb16_ror8(word1), odd, sum1);
            weight0 += 4;
            weight1 += 4;
        }
        const int32_t rest = rows->depth - whole;
        sums[row] = mn_add_rest(sum0, from, weight0, rest, offset);
        sums[next] = mn_add_rest(sum1, from, weight1, rest, offset);
    }
}
