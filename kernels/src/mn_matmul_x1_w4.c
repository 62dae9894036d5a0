/*
 * int4 weights times one column: two rows at a time where both start at a byte, else one. Per
 * 8 inputs 1 LDM of the column, and per row 1 load, 2 masks, 4 unpacks and 4 SMLAD.
 */
#include "mn_matmul.h"
#include "mn_nibbles.h"
#include "mn_requantize.h"

#if MN_DSP
#define MN_MAC4(sum)                                                                               \
    "sxtb16 %[pair], %[first]\n\t"                                                                 \
    "sxtb16 %[first], %[first], ror #8\n\t"                                                        \
    "smlad " sum ", %[pair], r8, " sum "\n\t"                                                      \
    "smlad " sum ", %[first], r9, " sum "\n\t"                                                     \
    "sxtb16 %[pair], %[second]\n\t"                                                                \
    "sxtb16 %[second], %[second], ror #8\n\t"                                                      \
    "smlad " sum ", %[pair], r10, " sum "\n\t"                                                     \
    "smlad " sum ", %[second], r11, " sum "\n\t"

#define MN_LOAD_COLUMN "ldmia %[column]!, {r8, r9, r10, r11}\n\t"

#define MN_GROUP(unpack)                                                                           \
    MN_LOAD_COLUMN unpack("%[first]", "%[second]", "%[weight]", "%[mask]") MN_MAC4("%[sum]")

#define MN_GROUP_OF_TWO                                                                            \
    MN_LOAD_COLUMN MN_UNPACK_EVEN("%[first]", "%[second]", "%[weight0]", "%[mask]") MN_MAC4("%[sum0]")        \
        MN_UNPACK_EVEN("%[first]", "%[second]", "%[weight1]", "%[mask]") MN_MAC4("%[sum1]")

#define MN_OPERANDS                                                                                \
    [column] "+r"(column), [weight] "+r"(weight), [sum] "+r"(sum), [first] "=&r"(first),           \
        [second] "=&r"(second), [pair] "=&r"(pair)

#define MN_OPERANDS_OF_TWO                                                                         \
    [column] "+r"(column), [weight0] "+r"(weight0), [weight1] "+r"(weight1), [sum0] "+r"(sum0),    \
        [sum1] "+r"(sum1), [first] "=&r"(first), [second] "=&r"(second), [pair] "=&r"(pair)

#define MN_CLOBBERS "r8", "r9", "r10", "r11", "cc", "memory"

#define MN_LOOP(unpack)                                                                            \
    __asm__ volatile("1:\n\t" MN_GROUP(unpack) "subs %[count], %[count], #1\n\t"                   \
                     "bne 1b\n\t"                                                                  \
                     : MN_OPERANDS, [count] "+r"(count)                                            \
                     : [mask] "r"(MN_NIBBLE_MASK)                                                  \
                     : MN_CLOBBERS)

#define MN_LAST(unpack)                                                                            \
    __asm__ volatile(MN_GROUP(unpack)                                                              \
                     : MN_OPERANDS                                                                 \
                     : [mask] "r"(MN_NIBBLE_MASK)                                                  \
                     : MN_CLOBBERS)

/* Two rows of an even depth that start at a byte. */
MN_INLINE void mn_two_rows(const uint32_t *column, const uint8_t *weight0, int32_t depth,
                           int32_t sums[2])
{
    const uint8_t *weight1 = weight0 + (depth >> 1);
    const int32_t groups = (depth - 1) / MN_GROUP_W4;
    const int32_t overlap = (groups + 1) * MN_GROUP_W4 - depth;
    int32_t pairs = groups >> 1;
    int32_t sum0 = 0;
    int32_t sum1 = 0;
    uint32_t first, second, pair;
    if (pairs)
    {
        __asm__ volatile("1:\n\t" MN_GROUP_OF_TWO MN_GROUP_OF_TWO "subs %[count], %[count], #1\n\t"
                         "bne 1b\n\t"
                         : MN_OPERANDS_OF_TWO, [count] "+r"(pairs)
                         : [mask] "r"(MN_NIBBLE_MASK)
                         : MN_CLOBBERS);
    }
    if (groups & 1)
    {
        __asm__ volatile(MN_GROUP_OF_TWO
                         : MN_OPERANDS_OF_TWO
                         : [mask] "r"(MN_NIBBLE_MASK)
                         : MN_CLOBBERS);
    }
    weight0 -= overlap >> 1;
    weight1 -= overlap >> 1;
    __asm__ volatile(MN_GROUP_OF_TWO
                     : MN_OPERANDS_OF_TWO
                     : [mask] "r"(MN_NIBBLE_MASK)
                     : MN_CLOBBERS);
    sums[0] = sum0;
    sums[1] = sum1;
}

/* 16 times the sum of the row that starts at nibble `start`. */
MN_INLINE int32_t mn_one_row(const uint32_t *column, const uint8_t *weights, int32_t start,
                             int32_t depth)
{
    const uint8_t *weight = weights + (start >> 1);
    int32_t count = (depth - 1) / MN_GROUP_W4;
    int32_t sum = 0;
    uint32_t first, second, pair;
    if (count)
    {
        if (start & 1)
        {
            MN_LOOP(MN_UNPACK_ODD);
        }
        else
        {
            MN_LOOP(MN_UNPACK_EVEN);
        }
    }
    const int32_t last = start + depth - MN_GROUP_W4;
    weight = weights + (last >> 1);
    if (last & 1)
    {
        MN_LAST(MN_UNPACK_ODD);
    }
    else
    {
        MN_LAST(MN_UNPACK_EVEN);
    }
    return sum;
}
#else
MN_INLINE int32_t mn_one_row(const uint32_t *column, const uint8_t *weights, int32_t start,
                             int32_t depth)
{
    int32_t sum = 0;
    for (int32_t done = 0; done < depth; done += MN_GROUP_W4, column += 4)
    {
        const int32_t last = depth - MN_GROUP_W4;
        const int32_t at = start + (done < last ? done : last);
        const uint8_t *weight = weights + (at >> 1);
        const uint32_t word = mn_read_u32(weight);
        const uint32_t even = (at & 1 ? word : word << 4) & MN_NIBBLE_MASK;
        const uint32_t odd = (at & 1 ? mn_read_u32(weight + 1) << 4 : word) & MN_NIBBLE_MASK;
        sum = mn_smlad(mn_sxtb16(even), column[0], sum);
        sum = mn_smlad(mn_sxtb16_ror8(even), column[1], sum);
        sum = mn_smlad(mn_sxtb16(odd), column[2], sum);
        sum = mn_smlad(mn_sxtb16_ror8(odd), column[3], sum);
    }
    return sum;
}

MN_INLINE void mn_two_rows(const uint32_t *column, const uint8_t *weight0, int32_t depth,
                           int32_t sums[2])
{
    sums[0] = mn_one_row(column, weight0, 0, depth);
    sums[1] = mn_one_row(column, weight0, depth, depth);
}
#endif

void mn_matmul_x1_w4(const uint32_t *column, const void *weights, int32_t first,
                     const mn_rows *rows, int8_t *output)
{
    const int32_t depth = rows->depth;
    const int32_t *bias = rows->bias;
    const int32_t *multiplier = rows->multiplier;
    const int32_t *shift = rows->shift;
    int32_t left = rows->rows;
    while (left > 0)
    {
        int32_t sums[2];
        int32_t count = 1;
        if (left > 1 && ((first | depth) & 1) == 0)
        {
            mn_two_rows(column, (const uint8_t *)weights + (first >> 1), depth, sums);
            count = 2;
        }
        else
        {
            sums[0] = mn_one_row(column, weights, first, depth);
        }
        for (int32_t row = 0; row < count; ++row)
        {
            const int32_t sum = mn_add_wrapping(mn_asr(sums[row], MN_NIBBLE_SCALE_BITS), *bias);
            *output++ = mn_output_s8(sum, *multiplier, *shift, rows->output_offset);
            bias += rows->bias_step;
            multiplier += rows->quant_step;
            shift += rows->quant_step;
        }
        first += count * depth;
        left -= count;
    }
}
