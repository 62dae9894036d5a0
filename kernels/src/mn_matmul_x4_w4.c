/*
 * int4 weights times four columns: per group of 8 weights 1 load, 2 masks, 4 unpacks, 4 LDM and
 * 16 SMLAD for 32 MACs, in 14 registers (the frame and the loop's end wait on the stack).
 *
 * With an odd depth every other row starts at an odd nibble, and the last group of a row, which
 * ends with the row, then starts at the other half of a byte than the row.
 */
#include "mn_nibbles.h"

#if MN_DSP
/* r0 mask, r1 column, r2 weight, r3 .. r6 sums, r7 pair, r8 .. r11 inputs, r12, lr nibbles */
#define MN_MAC4                                                                                    \
    "ldmia r1!, {r8, r9, r10, r11}\n\t"                                                            \
    "smlad r3, r7, r8, r3\n\t"                                                                     \
    "smlad r4, r7, r9, r4\n\t"                                                                     \
    "smlad r5, r7, r10, r5\n\t"                                                                    \
    "smlad r6, r7, r11, r6\n\t"

#define MN_GROUP(unpack)                                                                           \
    unpack("r2")                                                                                   \
    "sxtb16 r7, r12\n\t" MN_MAC4                                                                   \
    "sxtb16 r7, r12, ror #8\n\t" MN_MAC4                                                           \
    "sxtb16 r7, lr\n\t" MN_MAC4                                                                    \
    "sxtb16 r7, lr, ror #8\n\t" MN_MAC4

#define MN_HALF_GROUP(unpack)                                                                      \
    unpack("r2")                                                                                   \
    "sxtb16 r7, r12\n\t" MN_MAC4                                                                   \
    "sxtb16 r7, lr\n\t" MN_MAC4

/* The whole groups of a row; then r7 frame. */
#define MN_GROUPS(unpack, loop, single, done)                                                      \
    "ldr r7, [sp, #4]\n\t"                                                                         \
    "cmp r1, r7\n\t"                                                                               \
    "beq " single "f\n" loop ":\n\t" MN_GROUP(unpack) MN_GROUP(unpack)                             \
    "ldr r7, [sp, #4]\n\t"                                                                         \
    "cmp r1, r7\n\t"                                                                               \
    "bne " loop "b\n" single ":\n\t"                                                               \
    "ldr r7, [sp]\n\t"                                                                             \
    "ldr r12, [r7, #16]\n\t"                                                                       \
    "cmp r12, #0\n\t"                                                                              \
    "beq " done "f\n\t" MN_GROUP(unpack)                                                           \
    "ldr r7, [sp]\n" done ":\n\t"

/* Rows from the frame's output on, up to the end or the first row with another shift. */
static void mn_run_rows(mn_frame *frame, const uint32_t *blocks_end)
{
    register mn_frame *r0 __asm__("r0") = frame;
    register const uint32_t *r1 __asm__("r1") = blocks_end;
    /* r7 may be the frame pointer, which a clobber list must not name. */
    __asm__ volatile("push {r7}\n\t"
                     "push {r0, r1}\n\t"
                     "ldr r2, [r0, #52]\n"
                     "2:\n\t"
                     "ldr r12, [r0, #60]\n\t"
                     "ldr r1, [r0]\n\t"
                     "mov r0, #0xF0F0F0F0\n\t"
                     "mov r3, #0\n\t"
                     "mov r4, #0\n\t"
                     "mov r5, #0\n\t"
                     "mov r6, #0\n\t"
                     "cmp r12, #0\n\t"
                     "bne 20f\n\t" MN_GROUPS(MN_UNPACK_EVEN, "3", "4", "5")
                     "ldr r12, [r7, #64]\n\t"
                     "ldr r8, [r7, #20]\n\t"
                     "sub r2, r2, r8\n"
                     "6:\n\t" MN_BRANCH_TO_TAIL
                     "62:\n\t"
                     "mov r12, #1\n\t"
                     "str r12, [r7, #60]\n\t" MN_HALF_GROUP(MN_UNPACK_HALF_ODD)
                     "b 7f\n"
                     "61:\n\t" MN_HALF_GROUP(MN_UNPACK_HALF_EVEN)
                     "b 7f\n"
                     "64:\n\t"
                     "mov r12, #1\n\t"
                     "str r12, [r7, #60]\n\t" MN_GROUP(MN_UNPACK_ODD)
                     "b 7f\n"
                     "63:\n\t" MN_GROUP(MN_UNPACK_EVEN)
                     "7:\n\t"
                     "ldr r0, [sp]\n\t"
                     "ldrd r8, r9, [r0, #8]\n\t"
                     "ldr r12, [r8]\n\t"
                     "add r8, r8, r9\n\t"
                     "str r8, [r0, #8]\n\t"
                     "add r3, r12, r3, asr #4\n\t"
                     "add r4, r12, r4, asr #4\n\t"
                     "add r5, r12, r5, asr #4\n\t"
                     "add r6, r12, r6, asr #4\n\t" MN_LOAD_QUANTIZATION MN_STORE_X4
                     "20:\n\t" MN_GROUPS(MN_UNPACK_ODD, "23", "24", "25")
                     "mov r12, #0\n\t"
                     "str r12, [r7, #60]\n\t"
                     "ldr r12, [r7, #68]\n\t"
                     "ldr r8, [r7, #88]\n\t"
                     "sub r2, r2, r8\n\t"
                     "b 6b\n"
                     "8:\n\t"
                     "add r12, r0, #72\n\t"
                     "stmia r12, {r3, r4, r5, r6}\n"
                     "9:\n\t"
                     "str r2, [r0, #52]\n\t"
                     "add sp, sp, #8\n\t"
                     "pop {r7}\n\t"
                     : "+r"(r0), "+r"(r1)
                     :
                     : "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc",
                       "memory");
}
#else
static void mn_run_rows(mn_frame *frame, const uint32_t *blocks_end)
{
    (void)blocks_end;
    const int32_t depth = 2 * frame->stride + (frame->tail != frame->odd_tail);
    for (int32_t i = 0; i < 4; ++i)
    {
        const int32_t sum = mn_row_w4(frame->columns + i, 4, frame->weight, frame->odd, depth);
        frame->sums[i] = mn_add_wrapping(sum, *frame->bias);
    }
    frame->bias += frame->bias_step / 4;
    frame->weight = (const uint8_t *)frame->weight + ((frame->odd + depth) >> 1);
    frame->odd = (frame->odd + depth) & 1;
}
#endif

void mn_matmul_x4_w4(const uint32_t *columns, const void *weights, int32_t first,
                     const mn_rows *rows, int8_t *output, int32_t output_step)
{
    mn_frame frame;
    mn_set_frame(&frame, columns, rows, output, output_step);
    mn_set_groups_w4(&frame, rows->depth, 2);
    frame.weight = (const uint8_t *)weights + (first >> 1);
    frame.odd = first & 1;
    const uint32_t *const blocks_end = columns + frame.blocks * 4 * MN_GROUP_W4;
    while (mn_is_stopped(&frame))
    {
        mn_run_rows(&frame, blocks_end);
        if (mn_is_stopped(&frame))
        {
            mn_finish_row(&frame, frame.sums, 4);
        }
    }
}
