/* SPDX-License-Identifier: Apache-2.0 */
/*
 * int8 weights times four columns: per group of 4 weights 1 load, 2 unpacks, 2 LDM and 8 SMLAD for
 * 16 MACs, in 13 registers.
 */
#include "mn_frame_x4.h"

#if MN_DSP
/* r1 column, r2 weight, r3 .. r6 sums, r7 count, r8 .. r11 inputs, r12 word, lr pair */
#define MN_MAC4(pair)                                                                              \
    "ldmia r1!, {r8, r9, r10, r11}\n\t"                                                            \
    "smlad r3, " pair ", r8, r3\n\t"                                                               \
    "smlad r4, " pair ", r9, r4\n\t"                                                               \
    "smlad r5, " pair ", r10, r5\n\t"                                                              \
    "smlad r6, " pair ", r11, r6\n\t"

#define MN_GROUP                                                                                   \
    "ldr r12, [r2], #4\n\t"                                                                        \
    "sxtb16 lr, r12\n\t" MN_MAC4("lr") "sxtb16 r12, r12, ror #8\n\t" MN_MAC4("r12")

static void mn_run_rows(mn_frame_x4 *frame)
{
    register mn_frame_x4 *r0 __asm__("r0") = frame;
    /* r7 may be the frame pointer, which a clobber list must not name. */
    __asm__ volatile("push {r7}\n\t"
                     "ldr r2, [r0, %[weight]]\n"
                     "2:\n\t"
                     "ldmia r0, {r1, r7, r8, r9, r10}\n\t"
                     "ldr r3, [r9, r10, lsl #2]\n\t"
                     "mov r4, r3\n\t"
                     "mov r5, r3\n\t"
                     "mov r6, r3\n\t"
                     "tbb [pc, r8]\n"
                     "10:\n\t"
                     ".byte (31f-10b)/2, (32f-10b)/2, (33f-10b)/2, (3f-10b)/2\n"
                     "3:\n\t" MN_GROUP "33:\n\t" MN_GROUP "32:\n\t" MN_GROUP "31:\n\t" MN_GROUP
                     "subs r7, r7, #1\n\t"
                     "bne 3b\n\t"
                     "ldr r7, [r0, %[overlap]]\n\t"
                     "cbz r7, 7f\n\t"
                     "sub r2, r2, r7\n\t" MN_GROUP
                     "7:\n\t"
                     "add r1, r0, %[row]\n\t"
                     "ldmia r1, {r7, r8, r9, r10, r11, r12, lr}\n\t" MN_STORE_X4
                     "9:\n\t"
                     "pop {r7}\n\t"
                     : "+r"(r0)
                     : MN_PLACE(weight), MN_PLACE(overlap), MN_PLACE(row), MN_PLACE(left_start)
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr",
                       "cc", "memory");
}
#endif

void mn_matmul_x4_w8(const uint32_t *columns, const void *weights, int32_t first,
                     const mn_rows *rows, int8_t *output, int32_t output_step)
{
#if MN_DSP
    const uint32_t groups = (uint32_t)rows->depth / MN_GROUP_W8;
    mn_frame_x4 frame;
    mn_set_frame_x4(&frame, columns, rows, output, output_step);
    frame.passes = (int32_t)((groups + 3) / 4);
    frame.entry = (int32_t)((groups - 1) % 4);
    frame.overlap = -rows->depth & (MN_GROUP_W8 - 1);
    frame.weight = (const int8_t *)weights + first;
    mn_run_rows(&frame);
#else
    mn_run_each_row(mn_row_w8, columns, 4, weights, first, rows, output, output_step);
#endif
}
