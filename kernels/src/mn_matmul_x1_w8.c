/*
 * int8 weights times one column, two rows at a time: per 8 inputs 1 LDM of the column, and per row
 * 2 loads, 4 unpacks and 4 SMLAD.
 */
#include "mn_frame.h"

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

/* Pairs of rows from the frame's output on, up to the end or the first pair with another shift. */
static void mn_run_rows(mn_frame *frame)
{
    register mn_frame *r0 __asm__("r0") = frame;
    /* r7 may be the frame pointer, which a clobber list must not name. */
    __asm__ volatile("push {r7}\n\t"
                     "ldr r2, [r0, #52]\n"
                     "2:\n\t"
                     "ldrd r6, lr, [r0, #56]\n\t"
                     "ldmia r0, {r1, r7, r8, r9}\n\t"
                     "add r5, r2, r6\n\t"
                     "ldr r3, [r8]\n\t"
                     "ldr r4, [r8, r9]\n\t"
                     "add r8, r8, r9, lsl #1\n\t"
                     "str r8, [r0, #8]\n\t"
                     "tbh [pc, lr, lsl #1]\n"
                     "10:\n\t"
                     ".2byte (4f-10b)/2, (31f-10b)/2, (32f-10b)/2, (33f-10b)/2, (3f-10b)/2\n"
                     "3:\n\t" MN_TWO_GROUPS "33:\n\t" MN_TWO_GROUPS "32:\n\t" MN_TWO_GROUPS
                     "31:\n\t" MN_TWO_GROUPS
                     "subs r7, r7, #1\n\t"
                     "bne 3b\n"
                     "4:\n\t"
                     "ldr r12, [r0, #64]\n\t"
                     "tbb [pc, r12]\n"
                     "11:\n\t"
                     ".byte (7f-11b)/2, (5f-11b)/2, (6f-11b)/2, (5f-11b)/2\n"
                     "5:\n\t" MN_GROUP
                     "ldr r7, [r0, #20]\n\t"
                     "cbz r7, 7f\n"
                     "6:\n\t"
                     "ldr r7, [r0, #20]\n\t"
                     "sub r2, r2, r7\n\t"
                     "sub r5, r5, r7\n\t" MN_GROUP
                     "7:\n\t"
                     "mov r2, r5\n\t" MN_STORE_X1
                     "8:\n\t"
                     "strd r3, r4, [r0, #100]\n"
                     "9:\n\t"
                     "str r2, [r0, #52]\n\t"
                     "pop {r7}\n\t"
                     : "+r"(r0)
                     :
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr",
                       "cc", "memory");
}

static void mn_run_pairs(mn_frame *frame)
{
    while (mn_is_stopped(frame))
    {
        mn_run_rows(frame);
        if (mn_is_stopped(frame))
        {
            mn_finish_row(frame, frame->sums[0]);
            mn_finish_row(frame, frame->sums[1]);
        }
    }
}
#endif

void mn_matmul_x1_w8(const uint32_t *column, const void *weights, int32_t first,
                     const mn_rows *rows, int8_t *output)
{
    int32_t row = 0;
#if MN_DSP
    const int32_t depth = rows->depth;
    mn_frame frame;
    mn_set_frame(&frame, column, rows, output, 0);
    mn_set_uniform(&frame, rows);
    mn_set_passes(&frame, (int32_t)((uint32_t)depth / (2 * MN_GROUP_W8)));
    frame.overlap = -depth & (MN_GROUP_W8 - 1);
    frame.tail = (depth & MN_GROUP_W8 ? 1 : 0) + (frame.overlap ? 2 : 0);
    frame.stride = depth;
    frame.weight = (const int8_t *)weights + first;
    row = rows->rows & ~1;
    frame.output_end = output + row;
    mn_run_pairs(&frame);
#endif
    for (; row < rows->rows; ++row)
    {
        const int32_t sum = mn_row_w8(column, 1, weights, rows, first, row);
        output[row] = mn_row_output(rows, row, sum);
    }
}
