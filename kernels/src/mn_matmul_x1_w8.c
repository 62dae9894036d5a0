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
                     "ldr r6, [r0, #56]\n\t"
                     "ldmia r0, {r1, r7, r8, r9}\n\t"
                     "add r5, r2, r6\n\t"
                     "ldr r3, [r8]\n\t"
                     "ldr r4, [r8, r9]\n\t"
                     "add r8, r8, r9, lsl #1\n\t"
                     "str r8, [r0, #8]\n\t"
                     "cmp r7, #0\n\t"
                     "beq 4f\n"
                     "3:\n\t" MN_TWO_GROUPS MN_TWO_GROUPS MN_TWO_GROUPS MN_TWO_GROUPS
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
                     "sub r2, r2, r7\n\t"
                     "sub r5, r5, r7\n\t" MN_GROUP
                     "7:\n\t"
                     "mov r2, r5\n\t" MN_STORE_X1
                     "8:\n\t"
                     "strd r3, r4, [r0, #96]\n"
                     "9:\n\t"
                     "str r2, [r0, #52]\n\t"
                     "pop {r7}\n\t"
                     : "+r"(r0)
                     :
                     : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr",
                       "cc", "memory");
}
#else
static void mn_run_rows(mn_frame *frame)
{
    const int32_t groups = 8 * frame->blocks + frame->singles;
    for (int32_t row = 0; row < 2; ++row)
    {
        const uint32_t *column = frame->columns;
        const int8_t *weight = (const int8_t *)frame->weight + row * frame->stride;
        int32_t sum = *frame->bias;
        for (int32_t group = 0; group < groups + (frame->overlap > 0); ++group, column += 2)
        {
            const uint32_t word =
                mn_read_u32(weight + 4 * group - (group == groups ? frame->overlap : 0));
            sum = mn_smlad(mn_sxtb16(word), column[0], sum);
            sum = mn_smlad(mn_sxtb16_ror8(word), column[1], sum);
        }
        frame->sums[row] = sum;
        frame->bias += frame->bias_step / 4;
    }
    frame->weight = (const int8_t *)frame->weight + 2 * frame->stride;
}
#endif

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

void mn_matmul_x1_w8(const uint32_t *column, const void *weights, int32_t first,
                     const mn_rows *rows, int8_t *output)
{
    mn_frame frame;
    mn_set_frame(&frame, column, rows, output, 0);
    mn_set_groups_w8(&frame, rows->depth, 8);
    mn_set_uniform(&frame, rows);
    frame.weight = (const int8_t *)weights + first;
    frame.output_end -= rows->rows & 1;
    mn_run_pairs(&frame);
    if (rows->rows & 1)
    {
        /* The last row of an odd number: a pair of the same row twice. */
        int8_t pair[2];
        int8_t *const last = frame.output;
        frame.stride = 0;
        frame.bias_step = 0;
        frame.quant_step = 0;
        frame.uniform = 0;
        frame.output = pair;
        frame.output_end = pair + 2;
        mn_run_pairs(&frame);
        *last = pair[0];
    }
}
