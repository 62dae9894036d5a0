/*
 * int8 weights times one column, two rows at a time: per 8 inputs 1 LDM of the column, and per row
 * 2 loads, 4 unpacks and 4 SMLAD.
 */
#include "mn_matmul.h"
#include "mn_requantize.h"

#if MN_DSP
#define MN_MAC2(sum, weight, even, odd)                                                            \
    "ldr %[word], [" weight "], #4\n\t"                                                            \
    "sxtb16 %[pair], %[word]\n\t"                                                                  \
    "sxtb16 %[word], %[word], ror #8\n\t"                                                          \
    "smlad " sum ", %[pair], " even ", " sum "\n\t"                                                \
    "smlad " sum ", %[word], " odd ", " sum "\n\t"

#define MN_TWO_GROUPS                                                                              \
    "ldmia %[column]!, {r8, r9, r10, r11}\n\t" MN_MAC2("%[sum0]", "%[weight0]", "r8", "r9")        \
        MN_MAC2("%[sum1]", "%[weight1]", "r8", "r9")                                               \
            MN_MAC2("%[sum0]", "%[weight0]", "r10", "r11")                                         \
                MN_MAC2("%[sum1]", "%[weight1]", "r10", "r11")

#define MN_GROUP                                                                                   \
    "ldmia %[column]!, {r8, r9}\n\t" MN_MAC2("%[sum0]", "%[weight0]", "r8", "r9")                  \
        MN_MAC2("%[sum1]", "%[weight1]", "r8", "r9")

#define MN_OPERANDS                                                                                \
    [column] "+r"(column), [weight0] "+r"(weight0), [weight1] "+r"(weight1), [sum0] "+r"(sum0),    \
        [sum1] "+r"(sum1), [word] "=&r"(word), [pair] "=&r"(pair)

#define MN_CLOBBERS "r8", "r9", "r10", "r11", "cc", "memory"
#endif

/* Adds two rows of `depth` weights each. */
MN_INLINE void mn_rows_x1_w8(const uint32_t *column, const int8_t *weight0, const int8_t *weight1,
                             int32_t depth, int32_t sums[2])
{
    const int32_t groups = (depth - 1) / MN_GROUP_W8;
    const int32_t overlap = (groups + 1) * MN_GROUP_W8 - depth;
    int32_t sum0 = sums[0];
    int32_t sum1 = sums[1];
#if MN_DSP
    uint32_t word, pair;
    int32_t blocks = groups >> 2;
    if (blocks)
    {
        __asm__ volatile("1:\n\t" MN_TWO_GROUPS MN_TWO_GROUPS "subs %[count], %[count], #1\n\t"
                         "bne 1b\n\t"
                         : MN_OPERANDS, [count] "+r"(blocks)
                         :
                         : MN_CLOBBERS);
    }
    int32_t singles = groups & 3;
    if (singles)
    {
        __asm__ volatile("1:\n\t" MN_GROUP "subs %[count], %[count], #1\n\t"
                         "bne 1b\n\t"
                         : MN_OPERANDS, [count] "+r"(singles)
                         :
                         : MN_CLOBBERS);
    }
    weight0 -= overlap;
    weight1 -= overlap;
    __asm__ volatile(MN_GROUP : MN_OPERANDS : : MN_CLOBBERS);
#else
    for (int32_t group = 0; group <= groups; ++group, column += 2)
    {
        const int32_t at = group * MN_GROUP_W8 - (group == groups ? overlap : 0);
        const uint32_t word0 = mn_read_u32(weight0 + at);
        const uint32_t word1 = mn_read_u32(weight1 + at);
        sum0 = mn_smlad(mn_sxtb16(word0), column[0], sum0);
        sum0 = mn_smlad(mn_sxtb16_ror8(word0), column[1], sum0);
        sum1 = mn_smlad(mn_sxtb16(word1), column[0], sum1);
        sum1 = mn_smlad(mn_sxtb16_ror8(word1), column[1], sum1);
    }
#endif
    sums[0] = sum0;
    sums[1] = sum1;
}

void mn_matmul_x1_w8(const uint32_t *column, const void *weights, int32_t first,
                     const mn_rows *rows, int8_t *output)
{
    const int8_t *weight = (const int8_t *)weights + first;
    const int32_t depth = rows->depth;
    const int32_t *bias = rows->bias;
    const int32_t *multiplier = rows->multiplier;
    const int32_t *shift = rows->shift;
    for (int32_t left = rows->rows; left > 0; left -= 2)
    {
        /* An odd last row is computed twice and stored once. */
        const int32_t second = left > 1;
        int32_t sums[2] = {bias[0], bias[second * rows->bias_step]};
        mn_rows_x1_w8(column, weight, weight + second * depth, depth, sums);
        for (int32_t row = 0; row <= second; ++row)
        {
            *output++ = mn_output_s8(sums[row], *multiplier, *shift, rows->output_offset);
            multiplier += rows->quant_step;
            shift += rows->quant_step;
        }
        weight += 2 * depth;
        bias += 2 * rows->bias_step;
    }
}
