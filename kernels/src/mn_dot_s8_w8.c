/* SPDX-License-Identifier: Apache-2.0 */
/*
 * int8 weights times one row of int8 inputs, for rows so few or so deep that a column of widened
 * inputs would not pay: per 4 inputs 1 load and 2 unpacks, and for each of up to four rows of weights
 * 1 load, 2 unpacks and 2 SMLAD.
 */
#include "mn_columns.h"
#include "mn_dense.h"
#include "mn_requantize.h"

/* One to four rows of weights, `stride` bytes apart, and their sums. */
typedef struct
{
    const int8_t *weights;
    int32_t stride;
    int32_t sums[4];
} mn_dot_rows;

/* Whole words of inputs, up to `end`. */
typedef void mn_dot_words(mn_dot_rows *rows, const int8_t *input, const int8_t *end,
                          uint32_t offset);

#if MN_DSP
/* r0 input, r1 weights, r2 two rows on, r3 .. r6 sums, r7 end, r8 stride, r9 offset, r10, r11 inputs */
#define MN_INPUTS                                                                                  \
    "ldr r11, [r0], #4\n\t"                                                                        \
    "sxtab16 r10, r9, r11\n\t"                                                                     \
    "sxtab16 r11, r9, r11, ror #8\n\t"

#define MN_ROW(sum, address)                                                                       \
    "ldr r12, " address "\n\t"                                                                     \
    "sxtb16 lr, r12\n\t"                                                                           \
    "sxtb16 r12, r12, ror #8\n\t"                                                                  \
    "smlad " sum ", lr, r10, " sum "\n\t"                                                          \
    "smlad " sum ", r12, r11, " sum "\n\t"

#define MN_ONE_ROW MN_INPUTS MN_ROW("r3", "[r1], #4")
#define MN_TWO_ROWS MN_INPUTS MN_ROW("r4", "[r1, r8]") MN_ROW("r3", "[r1], #4")
#define MN_FOUR_ROWS                                                                               \
    MN_INPUTS MN_ROW("r4", "[r1, r8]") MN_ROW("r3", "[r1], #4") MN_ROW("r6", "[r2, r8]")           \
        MN_ROW("r5", "[r2], #4")

/* Words in passes of four, those that are left over before. */
#define MN_DEFINE_DOT(name, word)                                                                  \
    static void name(mn_dot_rows *rows, const int8_t *input, const int8_t *end, uint32_t offset)   \
    {                                                                                              \
        register const int8_t *r0 __asm__("r0") = input;                                           \
        register const int8_t *r1 __asm__("r1") = rows->weights;                                   \
        register const int8_t *r2 __asm__("r2") = rows->weights + 2 * rows->stride;                \
        register int32_t r3 __asm__("r3") = rows->sums[0];                                         \
        register int32_t r4 __asm__("r4") = rows->sums[1];                                         \
        register int32_t r5 __asm__("r5") = rows->sums[2];                                         \
        register int32_t r6 __asm__("r6") = rows->sums[3];                                         \
        register int32_t r8 __asm__("r8") = rows->stride;                                          \
        register uint32_t r9 __asm__("r9") = offset;                                               \
        register const int8_t *r10 __asm__("r10") = end;                                           \
        /* r7 may be the frame pointer, which a clobber list must not name. */                     \
        __asm__ volatile("push {r7}\n\t"                                                           \
                         "mov r7, r10\n\t"                                                         \
                         "sub r10, r10, r0\n\t"                                                    \
                         "tst r10, #4\n\t"                                                         \
                         "beq 3f\n\t" word "3:\n\t"                                                \
                         "sub r10, r7, r0\n\t"                                                     \
                         "tst r10, #8\n\t"                                                         \
                         "beq 4f\n\t" word word "4:\n\t"                                           \
                         "cmp r0, r7\n\t"                                                          \
                         "beq 9f\n"                                                                \
                         "2:\n\t" word word word word                                              \
                         "cmp r0, r7\n\t"                                                          \
                         "bne 2b\n"                                                                \
                         "9:\n\t"                                                                  \
                         "pop {r7}\n\t"                                                            \
                         : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6),   \
                           "+r"(r10)                                                               \
                         : "r"(r8), "r"(r9)                                                        \
                         : "r11", "r12", "lr", "cc", "memory");                                    \
        rows->sums[0] = r3;                                                                        \
        rows->sums[1] = r4;                                                                        \
        rows->sums[2] = r5;                                                                        \
        rows->sums[3] = r6;                                                                        \
    }

MN_DEFINE_DOT(mn_dot_one, MN_ONE_ROW)
MN_DEFINE_DOT(mn_dot_two, MN_TWO_ROWS)
MN_DEFINE_DOT(mn_dot_four, MN_FOUR_ROWS)
#else
#define MN_DEFINE_DOT(name, count)                                                                 \
    static void name(mn_dot_rows *rows, const int8_t *input, const int8_t *end, uint32_t offset)   \
    {                                                                                              \
        const int8_t *weights = rows->weights;                                                     \
        for (; input != end; input += 4, weights += 4)                                             \
        {                                                                                          \
            const uint32_t even = mn_sxtab16(offset, mn_read_u32(input));                          \
            const uint32_t odd = mn_sxtab16_ror8(offset, mn_read_u32(input));                      \
            for (int32_t row = 0; row < count; ++row)                                              \
            {                                                                                      \
                const uint32_t word = mn_read_u32(weights + row * rows->stride);                   \
                rows->sums[row] = mn_smlad(mn_sxtb16(word), even, rows->sums[row]);                \
                rows->sums[row] = mn_smlad(mn_sxtb16_ror8(word), odd, rows->sums[row]);            \
            }                                                                                      \
        }                                                                                          \
    }

MN_DEFINE_DOT(mn_dot_one, 1)
MN_DEFINE_DOT(mn_dot_two, 2)
MN_DEFINE_DOT(mn_dot_four, 4)
#endif

/* The up to 3 inputs behind the whole words. */
static void mn_dot_rest(mn_dot_rows *rows, int32_t count, const int8_t *input, int32_t offset,
                        int32_t whole)
{
    for (int32_t row = 0; row < count; ++row)
    {
        const int8_t *const weights = rows->weights + row * rows->stride;
        int32_t sum = rows->sums[row];
        for (int32_t i = whole; i < rows->stride; ++i)
        {
            sum = mn_smlabb((uint32_t)(input[i] + offset), (uint32_t)weights[i], sum);
        }
        rows->sums[row] = sum;
    }
}

void mn_dot_s8_w8(const int8_t *input, int32_t offset, const int8_t *weights, const mn_rows *rows,
                  int32_t *sums)
{
    static mn_dot_words *const words[] = {NULL, mn_dot_one, mn_dot_two, NULL, mn_dot_four};
    const uint32_t pair = mn_offset_pair(offset);
    const int32_t whole = rows->depth & ~3;
    const int32_t *bias = rows->bias;
    mn_dot_rows dot = {weights, rows->depth, {0, 0, 0, 0}};
    for (int32_t left = rows->rows; left > 0;)
    {
        const int32_t count = left >= 4 ? 4 : left > 1 ? 2 : 1;
        words[count](&dot, input, input + whole, pair);
        if (whole != rows->depth)
        {
            mn_dot_rest(&dot, count, input, offset, whole);
        }
        for (int32_t i = 0; i < count; ++i)
        {
            *sums++ = mn_add_wrapping(dot.sums[i], bias != NULL ? *bias++ : 0);
            dot.sums[i] = 0;
        }
        dot.weights += count * dot.stride;
        left -= count;
    }
}
