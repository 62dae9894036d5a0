/*
 * int4 weights times four columns: per group of 8 weights 1 load, 2 masks, 4 unpacks, 4 LDM and
 * 16 SMLAD for 32 MACs, in 14 registers (the frame and the loop's end wait on the stack).
 *
 * With an odd depth every other row starts at an odd nibble, and the last group of a row, which
 * ends with the row, then starts at the other half of a byte than the row.
 */
#include "mn_frame.h"
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
    unpack("r12", "lr", "r2", "r0")                                                                \
    "sxtb16 r7, r12\n\t" MN_MAC4                                                                   \
    "sxtb16 r7, r12, ror #8\n\t" MN_MAC4                                                           \
    "sxtb16 r7, lr\n\t" MN_MAC4                                                                    \
    "sxtb16 r7, lr, ror #8\n\t" MN_MAC4

/* All groups of a row but the last, overlapping one; then r7 frame, r12 its overlap. */
#define MN_GROUPS(unpack, loop, single, last, overlap)                                             \
    "ldr r7, [sp, #4]\n\t"                                                                         \
    "cmp r1, r7\n\t"                                                                               \
    "beq " single "f\n" loop ":\n\t" MN_GROUP(unpack) MN_GROUP(unpack)                             \
    "ldr r7, [sp, #4]\n\t"                                                                         \
    "cmp r1, r7\n\t"                                                                               \
    "bne " loop "b\n" single ":\n\t"                                                               \
    "ldr r7, [sp]\n\t"                                                                             \
    "ldr r12, [r7, #16]\n\t"                                                                       \
    "cmp r12, #0\n\t"                                                                              \
    "beq " last "f\n\t" MN_GROUP(unpack)                                                           \
    "ldr r7, [sp]\n" last ":\n\t"                                                                  \
    "ldr r12, [r7, #" overlap "]\n\t"

/*
 * Rows from the frame's output on, up to the end or the first row with another shift. overlap is
 * that of rows starting at a byte, negative when their last group does not; first is 1 when the
 * next row starts at an odd nibble; depth holds the overlap of those rows.
 */
static void mn_run_rows(mn_frame *frame, const uint32_t *pairs_end)
{
    register mn_frame *r0 __asm__("r0") = frame;
    register const uint32_t *r1 __asm__("r1") = pairs_end;
    /* r7 may be the frame pointer, which a clobber list must not name. */
    __asm__ volatile("push {r7}\n\t"
                     "push {r0, r1}\n\t"
                     "ldr r2, [r0, #52]\n"
                     "2:\n\t"
                     "ldr r1, [r0]\n\t"
                     "ldr r12, [r0, #60]\n\t"
                     "mov r0, #0xF0F0F0F0\n\t"
                     "mov r3, #0\n\t"
                     "mov r4, #0\n\t"
                     "mov r5, #0\n\t"
                     "mov r6, #0\n\t"
                     "cmp r12, #0\n\t"
                     "bne 20f\n\t" MN_GROUPS(MN_UNPACK_EVEN, "3", "4", "5", "20")
                     "cmp r12, #0\n\t"
                     "beq 7f\n\t"
                     "blt 30f\n\t"
                     "sub r2, r2, r12\n"
                     "10:\n\t" MN_GROUP(MN_UNPACK_EVEN)
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
                     "20:\n\t" MN_GROUPS(MN_UNPACK_ODD, "23", "24", "25", "56")
                     "sub r2, r2, r12\n\t"
                     "mov r12, #0\n\t"
                     "str r12, [r7, #60]\n\t"
                     "b 10b\n"
                     "30:\n\t"
                     "add r2, r2, r12\n\t"
                     "mov r12, #1\n\t"
                     "str r12, [r7, #60]\n\t" MN_GROUP(MN_UNPACK_ODD)
                     "b 7b\n"
                     "8:\n\t"
                     "add r12, r0, #64\n\t"
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

static mn_frame mn_make_nibble_frame(const uint32_t *columns, const uint8_t *weights, int32_t first,
                                     const mn_rows *rows, int8_t *output, int32_t output_step)
{
    mn_frame frame = mn_make_frame(columns, rows, output, output_step);
    const int32_t groups = rows->depth / MN_GROUP_W4;
    const int32_t rest = rows->depth % MN_GROUP_W4;
    const int32_t overlap = rest ? MN_GROUP_W4 - rest : 0;
    frame.singles = groups & 1;
    frame.overlap = overlap & 1 ? -((overlap + 1) >> 1) : overlap >> 1;
    frame.depth = overlap >> 1;
    frame.weight = weights + (first >> 1);
    frame.first = first & 1;
    return frame;
}
#else
static void mn_run_rows(mn_frame *frame, const uint32_t *column)
{
    const int32_t last = frame->depth - MN_GROUP_W4;
    int32_t sums[4] = {0, 0, 0, 0};
    for (int32_t done = 0; done < frame->depth; done += MN_GROUP_W4, column += 16)
    {
        const int32_t at = frame->first + (done < last ? done : last);
        uint32_t pairs[4];
        mn_unpack_nibbles(pairs, frame->weight, at);
        for (int32_t i = 0; i < 16; ++i)
        {
            sums[i % 4] = mn_smlad(pairs[i / 4], column[i], sums[i % 4]);
        }
    }
    for (int32_t i = 0; i < 4; ++i)
    {
        sums[i] = mn_add_wrapping(mn_asr(sums[i], MN_NIBBLE_SCALE_BITS), *frame->bias);
    }
    frame->sums = (mn_sums){sums[0], sums[1], sums[2], sums[3]};
    frame->first += frame->depth;
    frame->bias += frame->bias_step / 4;
}

static mn_frame mn_make_nibble_frame(const uint32_t *columns, const uint8_t *weights, int32_t first,
                                     const mn_rows *rows, int8_t *output, int32_t output_step)
{
    mn_frame frame = mn_make_frame(columns, rows, output, output_step);
    frame.weight = weights;
    frame.first = first;
    return frame;
}
#endif

void mn_matmul_x4_w4(const uint32_t *columns, const void *weights, int32_t first,
                     const mn_rows *rows, int8_t *output, int32_t output_step)
{
    mn_frame frame =
        mn_make_nibble_frame(columns, weights, first, rows, output, output_step);
    const int32_t pairs = rows->depth / (2 * MN_GROUP_W4);
    const uint32_t *const pairs_end = columns + (MN_DSP ? pairs * 4 * MN_GROUP_W4 : 0);
    while (mn_is_stopped(&frame))
    {
        mn_run_rows(&frame, pairs_end);
        if (mn_is_stopped(&frame))
        {
            mn_finish_row_x4(&frame);
        }
    }
}
