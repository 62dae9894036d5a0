/*
 * int8 weights times four columns: per group of 4 weights 1 load, 2 unpacks, 2 LDM and 8 SMLAD for
 * 16 MACs, in 13 registers.
 */
#include "mn_frame.h"

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

static void mn_run_rows(mn_frame *frame)
{
    register mn_frame *r0 __asm__("r0") = frame;
    /* r7 may be the frame pointer, which a clobber list must not name. */
    __asm__ volatile("push {r7}\n\t"
                     "ldr r2, [r0, #52]\n"
                     "2:\n\t"
                     "ldmia r0, {r1, r7, r8, r9}\n\t"
                     "ldr r3, [r8]\n\t"
                     "add r8, r8, r9\n\t"
                     "str r8, [r0, #8]\n\t"
                     "mov r4, r3\n\t"
                     "mov r5, r3\n\t"
                     "mov r6, r3\n\t"
                     "cmp r7, #0\n\t"
                     "beq 4f\n"
                     "3:\n\t" MN_GROUP MN_GROUP MN_GROUP MN_GROUP
                     "subs r7, r7, #1\n\t"
                     "bne 3b\n"
                     "4:\n\t"
                     "ldr r7, [r0, #16]\n\t"
                     "cbz r7, 6f\n"
                     "5:\n\t" MN_GROUP
                     "subs r7, r7, #1\n\t"
                     "bne 5b\n"
                     "6:\n\t"
                     "ldr r7, [r0, #20]\n\t"
                     "cbz r7, 7f\n\t"
                     "sub r2, r2, r7\n\t" MN_GROUP
                     "7:\n\t" MN_STORE_X4(MN_REQUANTIZE)
                     "9:\n\t"
                     "pop {r7}\n\t"
                     : "+r"(r0)
                     :
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr",
                       "cc", "memory");
}
#endif

void mn_matmul_x4_w8(const uint32_t *columns, const void *weights, int32_t first,
                     const mn_rows *rows, int8_t *output, int32_t output_step)
{
#if MN_DSP
    if (rows->is_plain)
    {
        mn_frame frame;
        mn_set_frame(&frame, columns, rows, output, output_step);
        frame.blocks = (int32_t)((uint32_t)rows->depth / (4 * MN_GROUP_W8));
        frame.singles = (int32_t)((uint32_t)rows->depth / MN_GROUP_W8 % 4);
        frame.overlap = -rows->depth & (MN_GROUP_W8 - 1);
        frame.weight = (const int8_t *)weights + first;
        mn_run_rows(&frame);
        return;
    }
#endif
    for (int32_t index = 0; index < 4 * rows->rows; ++index)
    {
        const int32_t row = index >> 2;
        const int32_t position = index & 3;
        const int32_t sum = mn_row_w8(columns + position, 4, weights, rows, first, row);
        output[position * output_step + row] = mn_row_output(rows, row, sum);
    }
}
