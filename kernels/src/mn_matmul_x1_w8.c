/* SPDX-License-Identifier: Apache-2.0 */
/*
 * int8 weights times one column, two rows at a time: per 8 inputs 1 LDM of the column, and per row
 * 2 loads, 4 unpacks and 4 SMLAD.
 */
#include "mn_frame_x1.h"

#if MN_DSP
/* r1 column, r2 and r5 weights, r3 and r4 sums, r7 count, r8 .. r11 inputs, r12 word, lr pair */
#define MN_MAC2(sum, weight, even, odd)                                                            \
    "ldr r12, [" weight "], #4\n\t"                                                                \
    "sxtb16 lr, r12\n\t"                                                                           \
    "sxtb16 r12, r12, ror #8\n\t"                                                                  \
    "smlad " sum ", lr, " even ", " sum "\n\t"                                                     \
    "smlad " sum ", r12, " odd ", " sum "\n\t"

#define MN_TWO_GROUPS                                                                              \
    "ldmia r1!, {r8, r9, r10, r11}\n\t" MN_MAC2("r3", "r2", "r8", "r9")                            \
        MN_MAC2("r4", "r5", "r8", "r9") MN_MAC2("r3", "r2", "r10", "r11")                          \
            MN_MAC2("r4", "r5", "r10", "r11")

#define MN_GROUP                                                                                   \
    "ldmia r1!, {r8, r9}\n\t" MN_MAC2("r3", "r2", "r8", "r9") MN_MAC2("r4", "r5", "r8", "r9")

static void mn_run_rows(mn_frame_x1 *frame)
{
    register mn_frame_x1 *r0 __asm__("r0") = frame;
    /* r7 may be the frame pointer, which a clobber list must not name. */
    __asm__ volatile("push {r7}\n\t"
                     "ldr r2, [r0, %[weight]]\n"
                     "2:\n\t"
                     "ldmia r0, {r1, r6, r7, r8, r9, r10}\n\t"
                     "add r5, r2, r6\n\t"
                     "add r9, r9, r10, lsl #2\n\t"
                     "ldrd r3, r4, [r9]\n\t"
                     "tbh [pc, r8, lsl #1]\n"
                     "10:\n\t"
                     ".2byte (4f-10b)/2, (31f-10b)/2, (32f-10b)/2, (33f-10b)/2, (3f-10b)/2\n"
                     "3:\n\t" MN_TWO_GROUPS "33:\n\t" MN_TWO_GROUPS "32:\n\t" MN_TWO_GROUPS
                     "31:\n\t" MN_TWO_GROUPS
                     "subs r7, r7, #1\n\t"
                     "bne 3b\n"
                     "4:\n\t"
                     "ldr r12, [r0, %[tail]]\n\t"
                     "tbb [pc, r12]\n"
                     "11:\n\t"
                     ".byte (7f-11b)/2, (5f-11b)/2, (6f-11b)/2, (5f-11b)/2\n"
                     "5:\n\t" MN_GROUP
                     "ldr r7, [r0, %[overlap]]\n\t"
                     "cbz r7, 7f\n"
                     "6:\n\t"
                     "ldr r7, [r0, %[overlap]]\n\t"
                     "sub r2, r2, r7\n\t"
                     "sub r5, r5, r7\n\t" MN_GROUP
                     "7:\n\t"
                     "mov r2, r5\n\t"
                     "add r1, r0, %[row]\n\t"
                     "ldmia r1, {r6, r7, r8, r9, r10, r11, r12}\n\t" MN_STORE_X1
                     "9:\n\t"
                     "pop {r7}\n\t"
                     : "+r"(r0)
                     : MN_PLACE(weight), MN_PLACE(tail), MN_PLACE(overlap), MN_PLACE(row),
                       MN_PLACE(left_start)
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr",
                       "cc", "memory");
}
#endif

void mn_matmul_x1_w8(const uint32_t *column, const void *weights, int32_t first,
                     const mn_rows *rows, int8_t *output, int32_t output_step)
{
    (void)output_step;
#if MN_DSP
    const int32_t depth = rows->depth;
    mn_frame_x1 frame;
    frame.columns = column;
    frame.stride = depth;
    mn_set_passes(&frame, (int32_t)((uint32_t)depth / (2 * MN_GROUP_W8)));
    frame.overlap = -depth & (MN_GROUP_W8 - 1);
    frame.tail = (depth & MN_GROUP_W8 ? 1 : 0) + (frame.overlap ? 2 : 0);
    frame.weight = (const int8_t *)weights + first;
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
        mn_twin_rows twins;
        mn_make_twins(&twins, rows, last);
        mn_set_rows_x1(&frame, &twins.rows, twins.output);
        frame.stride = 0;
        frame.weight = (const int8_t *)weights + first + last * depth;
        mn_run_rows(&frame);
        output[last] = twins.output[0];
    }
#else
    mn_run_each_row(mn_row_w8, column, 1, weights, first, rows, output, 0);
#endif
}
