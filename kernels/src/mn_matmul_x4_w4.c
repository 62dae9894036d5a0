/* SPDX-License-Identifier: Apache-2.0 */
/*
 * int4 weights times four columns: per group of 8 weights 1 load, 2 masks, 4 unpacks, 4 LDM and
 * 16 SMLAD for 32 MACs, in 14 registers (the frame and the loop's end wait on the stack).
 *
 * With an odd depth every other row starts at an odd nibble, and the last group of a row, which
 * ends with the row, then starts at the other half of a byte than the row.
 */
#include "mn_frame_x4.h"
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
    "ldr r12, [r7, %[" tail "]]\n\t"                                                               \
    "tbh [pc, r12, lsl #1]\n" base ":\n\t"                                                         \
    ".2byte (7f-" base "b)/2, (61f-" base "b)/2, (62f-" base "b)/2, (63f-" base "b)/2\n\t"         \
    ".2byte (64f-" base "b)/2\n\t"

/* r12, how the next row starts, and r8, how far r2 goes back, are two words at `pair`. */
#define MN_BEFORE_TAIL(first, second, pair)                                                        \
    "ldrd " first ", " second ", [r7, %[" pair "]]\n\t"                                            \
    "str r12, [r7, %[entry]]\n\t"                                                                  \
    "sub r2, r2, r8\n\t"

_Static_assert(offsetof(mn_frame_x4, even_entry) == offsetof(mn_frame_x4, odd_overlap) + 4, "ldrd");
_Static_assert(offsetof(mn_frame_x4, even_overlap) == offsetof(mn_frame_x4, odd_entry) + 4, "ldrd");

/* Rows from the frame's output on, all of them. */
static void mn_run_rows(mn_frame_x4 *frame, const uint32_t *groups_end)
{
    register mn_frame_x4 *r0 __asm__("r0") = frame;
    register const uint32_t *r1 __asm__("r1") = groups_end;
    /* r7 may be the frame pointer, which a clobber list must not name. */
    __asm__ volatile("push {r7}\n\t"
                     "push {r0, r1}\n\t"
                     "ldr r2, [r0, %[weight]]\n"
                     "2:\n\t"
                     "ldr r12, [r0, %[entry]]\n\t"
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
                     MN_GROUPS(MN_UNPACK_EVEN, "3", "4", "5", "11", "tail")
                     /* Rows that start at an odd nibble: the tail starts at a byte. */
                     MN_GROUPS(MN_UNPACK_ODD, "23", "24", "25", "12", "odd_tail")
                     /* Tails. Those at an odd nibble belong to rows that start at a byte. */
                     "62:\n\t" MN_BEFORE_TAIL("r12", "r8", "odd_entry")
                         MN_HALF_GROUP(MN_UNPACK_HALF_ODD)
                     "b 7f\n"
                     "64:\n\t" MN_BEFORE_TAIL("r12", "r8", "odd_entry") MN_GROUP(MN_UNPACK_ODD)
                     "b 7f\n"
                     "63:\n\t" MN_BEFORE_TAIL("r8", "r12", "odd_overlap") MN_GROUP(MN_UNPACK_EVEN)
                     "b 7f\n"
                     "61:\n\t" MN_BEFORE_TAIL("r8", "r12", "odd_overlap")
                         MN_HALF_GROUP(MN_UNPACK_HALF_EVEN)
                     "7:\n\t"
                     "ldr r0, [sp]\n\t"
                     "add r1, r0, %[bias_end]\n\t"
                     "ldmia r1, {r1, r7, r8, r9, r10, r11, r12, lr}\n\t"
                     "ldr r1, [r1, r7, lsl #2]\n\t"
                     "add r3, r1, r3, asr #4\n\t"
                     "add r4, r1, r4, asr #4\n\t"
                     "add r5, r1, r5, asr #4\n\t"
                     "add r6, r1, r6, asr #4\n\t" MN_STORE_X4
                     "9:\n\t"
                     "add sp, sp, #8\n\t"
                     "pop {r7}\n\t"
                     : "+r"(r0), "+r"(r1)
                     : MN_PLACE(weight), MN_PLACE(entry), MN_PLACE(tail), MN_PLACE(odd_tail),
                       MN_PLACE(odd_overlap), MN_PLACE(odd_entry), MN_PLACE(bias_end),
                       MN_PLACE(row), MN_PLACE(left_start)
                     : "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc",
                       "memory");
}

static void mn_run_frame(const uint32_t *columns, const uint8_t *weights, int32_t first,
                         const mn_rows *rows, int8_t *output, int32_t output_step)
{
    const int32_t groups = (int32_t)((uint32_t)rows->depth / MN_GROUP_W4);
    const mn_tails tails = mn_tails_of(rows->depth);
    mn_frame_x4 frame;
    mn_set_frame_x4(&frame, columns, rows, output, output_step);
    frame.tail = tails.tail;
    frame.odd_tail = tails.odd_tail;
    frame.odd_overlap = tails.odd_overlap;
    frame.even_overlap = tails.overlap;
    frame.even_entry = groups == 0 ? 2 : groups & 1;
    frame.odd_entry = frame.even_entry + 3;
    frame.entry = first & 1 ? frame.odd_entry : frame.even_entry;
    frame.weight = weights + (first >> 1);
    mn_run_rows(&frame, columns + groups * (4 * MN_GROUP_W4 / 2));
}
#endif

void mn_matmul_x4_w4(const uint32_t *columns, const void *weights, int32_t first,
                     const mn_rows *rows, int8_t *output, int32_t output_step)
{
#if MN_DSP
    if (rows->depth <= MN_DEEPEST_W4)
    {
        mn_run_frame(columns, weights, first, rows, output, output_step);
        return;
    }
#endif
    mn_run_each_row(mn_row_w4, columns, 4, weights, first, rows, output, output_step);
}
