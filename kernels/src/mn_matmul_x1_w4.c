/* SPDX-License-Identifier: Apache-2.0 */
/*
 * int4 weights times one column, two rows at a time: per 8 inputs 1 LDM of the column, and per row
 * 1 load, 2 masks, 4 unpacks and 4 SMLAD. With an odd depth the second row of a pair starts at an
 * odd nibble.
 */
#include "mn_frame_x1.h"
#include "mn_nibbles.h"

#if MN_DSP
/* r0 mask, r1 column, r2 and r5 weights, r3 and r4 sums, r6 count, r7 pair, r8 .. r11 inputs */
#define MN_MAC(unpack, sum, weight)                                                                \
    unpack(weight)                                                                                 \
    "sxtb16 r7, r12\n\t"                                                                           \
    "sxtb16 r12, r12, ror #8\n\t"                                                                  \
    "smlad " sum ", r7, r8, " sum "\n\t"                                                           \
    "smlad " sum ", r12, r9, " sum "\n\t"                                                          \
    "sxtb16 r7, lr\n\t"                                                                            \
    "sxtb16 lr, lr, ror #8\n\t"                                                                    \
    "smlad " sum ", r7, r10, " sum "\n\t"                                                          \
    "smlad " sum ", lr, r11, " sum "\n\t"

#define MN_GROUP(unpack0, unpack1)                                                                 \
    "ldmia r1!, {r8, r9, r10, r11}\n\t" MN_MAC(unpack0, "r3", "r2") MN_MAC(unpack1, "r4", "r5")

#define MN_HALF_MAC(unpack, sum, weight)                                                           \
    unpack(weight)                                                                                 \
    "sxtb16 r12, r12\n\t"                                                                          \
    "sxtb16 lr, lr\n\t"                                                                            \
    "smlad " sum ", r12, r8, " sum "\n\t"                                                          \
    "smlad " sum ", lr, r9, " sum "\n\t"

#define MN_HALF_GROUP(unpack0, unpack1)                                                            \
    "ldmia r1!, {r8, r9}\n\t" MN_HALF_MAC(unpack0, "r3", "r2") MN_HALF_MAC(unpack1, "r4", "r5")

#define MN_BEFORE_TAIL                                                                             \
    "ldrd r8, r9, [r6, %[overlap]]\n\t"                                                            \
    "sub r2, r2, r8\n\t"                                                                           \
    "sub r5, r5, r9\n\t"

_Static_assert(offsetof(mn_frame_x1, odd_overlap) == offsetof(mn_frame_x1, overlap) + 4, "LDRD");

/* The whole groups of a pair of rows, unrolled four times; `unpack` is for the second row. */
#define MN_GROUPS(unpack, first, second, third, fourth)                                            \
    first ":\n\t" MN_GROUP(MN_UNPACK_EVEN, unpack) second ":\n\t" MN_GROUP(MN_UNPACK_EVEN, unpack) \
        third ":\n\t" MN_GROUP(MN_UNPACK_EVEN, unpack) fourth ":\n\t" MN_GROUP(MN_UNPACK_EVEN,     \
                                                                               unpack)             \
    "subs r6, r6, #1\n\t"                                                                          \
    "bne " first "b\n\t"

/* How many entries those for an odd depth, where second rows start at an odd nibble, come later. */
#define MN_ODD_ENTRY 5

/* Pairs of rows, the first of each starting at a byte. */
static void mn_run_rows(mn_frame_x1 *frame)
{
    register mn_frame_x1 *r0 __asm__("r0") = frame;
    /* r7 may be the frame pointer, which a clobber list must not name. */
    __asm__ volatile("push {r7}\n\t"
                     "push {r0}\n\t"
                     "ldr r2, [r0, %[weight]]\n"
                     "2:\n\t"
                     "ldmia r0, {r1, r5, r6, r7}\n\t"
                     "add r5, r2, r5\n\t"
                     "mov r0, #0xF0F0F0F0\n\t"
                     "mov r3, #0\n\t"
                     "mov r4, #0\n\t"
                     "tbh [pc, r7, lsl #1]\n"
                     "10:\n\t"
                     ".2byte (4f-10b)/2, (31f-10b)/2, (32f-10b)/2, (33f-10b)/2, (3f-10b)/2\n\t"
                     ".2byte (4f-10b)/2, (41f-10b)/2, (42f-10b)/2, (43f-10b)/2, (40f-10b)/2\n\t"
                     MN_GROUPS(MN_UNPACK_ODD, "40", "43", "42", "41")
                     "b 4f\n" MN_GROUPS(MN_UNPACK_EVEN, "3", "33", "32", "31")
                     "4:\n\t"
                     "ldr r6, [sp]\n\t"
                     "ldr r12, [r6, %[tail]]\n\t"
                     "tbh [pc, r12, lsl #1]\n"
                     "11:\n\t"
                     ".2byte (7f-11b)/2, (61f-11b)/2, (62f-11b)/2, (63f-11b)/2, (64f-11b)/2\n"
                     "61:\n\t" MN_BEFORE_TAIL
                         MN_HALF_GROUP(MN_UNPACK_HALF_EVEN, MN_UNPACK_HALF_EVEN)
                     "b 7f\n"
                     "62:\n\t" MN_BEFORE_TAIL
                         MN_HALF_GROUP(MN_UNPACK_HALF_ODD, MN_UNPACK_HALF_EVEN)
                     "b 7f\n"
                     "63:\n\t" MN_BEFORE_TAIL MN_GROUP(MN_UNPACK_EVEN, MN_UNPACK_EVEN)
                     "b 7f\n"
                     "64:\n\t" MN_BEFORE_TAIL MN_GROUP(MN_UNPACK_ODD, MN_UNPACK_EVEN)
                     "7:\n\t"
                     "ldr r0, [sp]\n\t"
                     "mov r2, r5\n\t"
                     "add r1, r0, %[bias_end]\n\t"
                     "ldmia r1, {r5, r6, r7, r8, r9, r10, r11, r12}\n\t"
                     "add r5, r5, r6, lsl #2\n\t"
                     "ldrd r1, lr, [r5]\n\t"
                     "add r3, r1, r3, asr #4\n\t"
                     "add r4, lr, r4, asr #4\n\t" MN_STORE_X1
                     "9:\n\t"
                     "add sp, sp, #4\n\t"
                     "pop {r7}\n\t"
                     : "+r"(r0)
                     : MN_PLACE(weight), MN_PLACE(tail), MN_PLACE(overlap), MN_PLACE(bias_end),
                       MN_PLACE(row), MN_PLACE(left_start)
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr",
                       "cc", "memory");
}

/* The first row starts at a byte. */
static void mn_run_frame(const uint32_t *column, const uint8_t *weights, const mn_rows *rows,
                         int8_t *output)
{
    const int32_t depth = rows->depth;
    const mn_tails tails = mn_tails_of(depth);
    mn_frame_x1 frame;
    frame.columns = column;
    frame.stride = depth >> 1;
    mn_set_passes(&frame, (int32_t)((uint32_t)depth / MN_GROUP_W4));
    frame.entry += depth & 1 ? MN_ODD_ENTRY : 0;
    frame.tail = tails.tail;
    frame.overlap = tails.overlap;
    frame.odd_overlap = tails.odd_overlap;
    frame.weight = weights;
    const int32_t last = rows->rows & ~1;
    if (last)
    {
        mn_rows pairs = *rows;
        pairs.rows = last;
        mn_set_rows_x1(&frame, &pairs, output);
        mn_run_rows(&frame);
    }
    if (rows->rows & 1)
    {
        /* Its twin, where it should start at an odd nibble, is within the row all the same. */
        mn_twin_rows twins;
        mn_make_twins(&twins, rows, last);
        frame.stride = 0;
        frame.weight = weights + (last * depth >> 1);
        mn_set_rows_x1(&frame, &twins.rows, twins.output);
        mn_run_rows(&frame);
        output[last] = twins.output[0];
    }
}
#endif

void mn_matmul_x1_w4(const uint32_t *column, const void *weights, int32_t first,
                     const mn_rows *rows, int8_t *output, int32_t output_step)
{
    (void)output_step;
#if MN_DSP
    if ((first & 1) == 0 && rows->depth <= MN_DEEPEST_W4)
    {
        mn_run_frame(column, (const uint8_t *)weights + (first >> 1), rows, output);
        return;
    }
#endif
    mn_run_each_row(mn_row_w4, column, 1, weights, first, rows, output, 0);
}
