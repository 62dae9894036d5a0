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

/*
 * The whole groups of a row, from `loop` or, where their number is odd, from `middle` on; `rest` is
 * what follows them, where the frame's word at `tail` tells how the row ends.
 */
#define MN_GROUPS(unpack, loop, middle, rest, base, tail)                                          \
    loop ":\n\t" MN_GROUP(unpack) middle ":\n\t" MN_GROUP(unpack)                                  \
    "ldr r7, [sp, #4]\n\t"                                                                         \
    "cmp r1, r7\n\t"                                                                               \
    "bne " loop "b\n" rest ":\n\t"                                                                 \
    "ldr r7, [sp]\n\t"                                                                             \
    "ldr r12, [r7, #" tail "]\n\t"                                                                 \
    "tbh [pc, r12, lsl #1]\n" base ":\n\t"                                                        \
    ".2byte (7f-" base "b)/2, (61f-" base "b)/2, (62f-" base "b)/2, (63f-" base "b)/2\n\t"         \
    ".2byte (64f-" base "b)/2\n\t"

/* r12, how the next row starts, and r8, how far r2 goes back, are two words at `pair`. */
#define MN_BEFORE_TAIL(first, second, pair)                                                        \
    "ldrd " first ", " second ", [r7, #" pair "]\n\t"                                              \
    "str r12, [r7, #60]\n\t"                                                                       \
    "sub r2, r2, r8\n\t"

/* Rows from the frame's output on, all of them. */
static void mn_run_rows(mn_frame *frame, const uint32_t *groups_end)
{
    register mn_frame *r0 __asm__("r0") = frame;
    register const uint32_t *r1 __asm__("r1") = groups_end;
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
                     "tbh [pc, r12, lsl #1]\n"
                     "10:\n\t"
                     ".2byte (3f-10b)/2, (4f-10b)/2, (5f-10b)/2, (23f-10b)/2, (24f-10b)/2\n\t"
                     ".2byte (25f-10b)/2\n\t"
                     /* Rows that start at a byte. */
                     MN_GROUPS(MN_UNPACK_EVEN, "3", "4", "5", "11", "64")
                     /* Rows that start at an odd nibble: the tail starts at a byte. */
                     MN_GROUPS(MN_UNPACK_ODD, "23", "24", "25", "12", "68")
                     /* Tails. Those at an odd nibble belong to rows that start at a byte. */
                     "62:\n\t" MN_BEFORE_TAIL("r12", "r8", "80") MN_HALF_GROUP(MN_UNPACK_HALF_ODD)
                     "b 7f\n"
                     "64:\n\t" MN_BEFORE_TAIL("r12", "r8", "80") MN_GROUP(MN_UNPACK_ODD)
                     "b 7f\n"
                     "63:\n\t" MN_BEFORE_TAIL("r8", "r12", "72") MN_GROUP(MN_UNPACK_EVEN)
                     "b 7f\n"
                     "61:\n\t" MN_BEFORE_TAIL("r8", "r12", "72") MN_HALF_GROUP(MN_UNPACK_HALF_EVEN)
                     "7:\n\t"
                     "ldr r0, [sp]\n\t"
                     "ldrd r8, r9, [r0, #8]\n\t"
                     "ldr r12, [r8]\n\t"
                     "add r8, r8, r9\n\t"
                     "str r8, [r0, #8]\n\t"
                     "lsl r12, r12, #1\n\t"
                     "add r3, r12, r3, asr #3\n\t"
                     "add r4, r12, r4, asr #3\n\t"
                     "add r5, r12, r5, asr #3\n\t"
                     "add r6, r12, r6, asr #3\n\t" MN_STORE_X4(MN_REQUANTIZE_DOUBLED)
                     "9:\n\t"
                     "add sp, sp, #8\n\t"
                     "pop {r7}\n\t"
                     : "+r"(r0), "+r"(r1)
                     :
                     : "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc",
                       "memory");
}

static void mn_run_frame(const uint32_t *columns, const uint8_t *weights, int32_t first,
                         const mn_rows *rows, int8_t *output, int32_t output_step)
{
    mn_frame frame;
    mn_set_frame(&frame, columns, rows, output, output_step);
    mn_set_tails(&frame, rows->depth);
    const int32_t groups = (int32_t)((uint32_t)rows->depth / MN_GROUP_W4);
    frame.even_start = groups == 0 ? 2 : groups & 1;
    frame.odd_start = frame.even_start + 3;
    frame.even_overlap = frame.overlap;
    frame.start = first & 1 ? frame.odd_start : frame.even_start;
    frame.weight = weights + (first >> 1);
    mn_run_rows(&frame, columns + groups * (4 * MN_GROUP_W4 / 2));
}
#endif

void mn_matmul_x4_w4(const uint32_t *columns, const void *weights, int32_t first,
                     const mn_rows *rows, int8_t *output, int32_t output_step)
{
#if MN_DSP
    if (rows->is_plain)
    {
        mn_run_frame(columns, weights, first, rows, output, output_step);
        return;
    }
#endif
    for (int32_t index = 0; index < 4 * rows->rows; ++index)
    {
        const int32_t row = index >> 2;
        const int32_t position = index & 3;
        const int32_t sum = mn_row_w4(columns + position, 4, weights, rows, first, row);
        output[position * output_step + row] = mn_row_output(rows, row, sum);
    }
}
