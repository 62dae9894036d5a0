/*
 * int4 weights times one column, two rows at a time: per 8 inputs 1 LDM of the column, and per row
 * 1 load, 2 masks, 4 unpacks and 4 SMLAD. With an odd depth the second row of a pair starts at an
 * odd nibble.
 */
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
    "ldr r8, [r6, #20]\n\t"                                                                        \
    "ldr r9, [r6, #72]\n\t"                                                                        \
    "sub r2, r2, r8\n\t"                                                                           \
    "sub r5, r5, r9\n\t"

/*
 * Pairs of rows from the frame's output on, up to the end or the first pair with another shift. The
 * second row of a pair is unpacked by `unpack1`; a tail by `half0` and `half1`, or `full0` and
 * `full1`.
 */
#define MN_RUN_ROWS(unpack1, half0, half1, full0, full1)                                           \
    /* r7 may be the frame pointer, which a clobber list must not name. */                         \
    __asm__ volatile("push {r7}\n\t"                                                               \
                     "push {r0}\n\t"                                                               \
                     "ldr r2, [r0, #52]\n"                                                         \
                     "2:\n\t"                                                                      \
                     "ldrd r12, lr, [r0, #56]\n\t"                                                 \
                     "ldmia r0, {r1, r6}\n\t"                                                      \
                     "add r5, r2, r12\n\t"                                                         \
                     "mov r0, #0xF0F0F0F0\n\t"                                                     \
                     "mov r3, #0\n\t"                                                              \
                     "mov r4, #0\n\t"                                                              \
                     "tbh [pc, lr, lsl #1]\n"                                                      \
                     "10:\n\t"                                                                     \
                     ".2byte (4f-10b)/2, (31f-10b)/2, (32f-10b)/2, (33f-10b)/2, (3f-10b)/2\n"      \
                     "3:\n\t" MN_GROUP(MN_UNPACK_EVEN, unpack1)                                    \
                     "33:\n\t" MN_GROUP(MN_UNPACK_EVEN, unpack1)                                   \
                     "32:\n\t" MN_GROUP(MN_UNPACK_EVEN, unpack1)                                   \
                     "31:\n\t" MN_GROUP(MN_UNPACK_EVEN, unpack1)                                   \
                     "subs r6, r6, #1\n\t"                                                         \
                     "bne 3b\n"                                                                    \
                     "4:\n\t"                                                                      \
                     "ldr r6, [sp]\n\t"                                                            \
                     "ldr r12, [r6, #64]\n\t"                                                      \
                     "tbh [pc, r12, lsl #1]\n"                                                     \
                     "11:\n\t"                                                                     \
                     ".2byte (7f-11b)/2, (61f-11b)/2, (61f-11b)/2, (63f-11b)/2, (63f-11b)/2\n"     \
                     "61:\n\t" MN_BEFORE_TAIL MN_HALF_GROUP(half0, half1)                          \
                     "b 7f\n"                                                                      \
                     "63:\n\t" MN_BEFORE_TAIL MN_GROUP(full0, full1)                               \
                     "7:\n\t"                                                                      \
                     "ldr r0, [sp]\n\t"                                                            \
                     "mov r2, r5\n\t"                                                              \
                     "ldrd r8, r9, [r0, #8]\n\t"                                                   \
                     "ldr r12, [r8]\n\t"                                                           \
                     "ldr lr, [r8, r9]\n\t"                                                        \
                     "add r8, r8, r9, lsl #1\n\t"                                                  \
                     "str r8, [r0, #8]\n\t"                                                        \
                     "add r3, r12, r3, asr #4\n\t"                                                 \
                     "add r4, lr, r4, asr #4\n\t" MN_STORE_X1                                      \
                     "8:\n\t"                                                                      \
                     "strd r3, r4, [r0, #100]\n"                                                    \
                     "9:\n\t"                                                                      \
                     "str r2, [r0, #52]\n\t"                                                       \
                     "add sp, sp, #4\n\t"                                                          \
                     "pop {r7}\n\t"                                                                \
                     : "+r"(r0)                                                                    \
                     :                                                                             \
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr",  \
                       "cc", "memory")

static void mn_run_even_rows(mn_frame *frame)
{
    register mn_frame *r0 __asm__("r0") = frame;
    MN_RUN_ROWS(MN_UNPACK_EVEN, MN_UNPACK_HALF_EVEN, MN_UNPACK_HALF_EVEN, MN_UNPACK_EVEN,
                MN_UNPACK_EVEN);
}

static void mn_run_odd_rows(mn_frame *frame)
{
    register mn_frame *r0 __asm__("r0") = frame;
    MN_RUN_ROWS(MN_UNPACK_ODD, MN_UNPACK_HALF_ODD, MN_UNPACK_HALF_EVEN, MN_UNPACK_ODD,
                MN_UNPACK_EVEN);
}
/* Pairs of rows, the first of each starting at a byte. */
static void mn_run_pairs(mn_frame *frame, int32_t depth)
{
    while (mn_is_stopped(frame))
    {
        if (depth & 1)
        {
            mn_run_odd_rows(frame);
        }
        else
        {
            mn_run_even_rows(frame);
        }
        if (mn_is_stopped(frame))
        {
            mn_finish_row(frame, frame->sums[0]);
            mn_finish_row(frame, frame->sums[1]);
        }
    }
}
#endif

void mn_matmul_x1_w4(const uint32_t *column, const void *weights, int32_t first,
                     const mn_rows *rows, int8_t *output)
{
    int32_t row = 0;
#if MN_DSP
    const int32_t depth = rows->depth;
    if ((first & 1) == 0)
    {
        mn_frame frame;
        mn_set_frame(&frame, column, rows, output, 0);
        mn_set_uniform(&frame, rows);
        mn_set_passes(&frame, (int32_t)((uint32_t)depth / MN_GROUP_W4));
        mn_set_tails(&frame, depth);
        frame.stride = depth >> 1;
        frame.weight = (const uint8_t *)weights + (first >> 1);
        row = rows->rows & ~1;
        frame.output_end = output + row;
        mn_run_pairs(&frame, depth);
    }
#endif
    /* The last of an odd number of rows, or all where the first row starts at an odd nibble. */
    for (; row < rows->rows; ++row)
    {
        const int32_t sum = mn_row_w4(column, 1, weights, rows, first, row);
        output[row] = mn_row_output(rows, row, sum);
    }
}
