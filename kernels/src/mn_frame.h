/*
 * What the assembler loops over weight rows keep in memory, in the order in which they load it.
 *
 * The inner loops need every register, so the state of a row lives here, and one LDM fetches what
 * the next step needs. The x4 loops are for plain rows (mn_matmul.h) only. The x1 loops check the
 * shifts, which a call of few rows does more cheaply as it goes: at rows with another shift than
 * -1 .. -20 (see mn_requantize.h) they leave their sums in the frame and end, and C finishes them.
 */
#ifndef MN_FRAME_H
#define MN_FRAME_H

#include <stddef.h>

#include "mn_matmul.h"
#include "mn_requantize.h"

typedef struct
{
    const uint32_t *columns;    /*   0 */
    int32_t blocks;             /*   4: passes of the unrolled loop; x1: also a first, partial one */
    const int32_t *bias;        /*   8 */
    int32_t bias_step;          /*  12: bytes */
    int32_t singles;            /*  16: int8: whole groups after the unrolled loop */
    int32_t overlap;            /*  20: bytes that the last group reaches back, 0: there is none */
    const int32_t *multiplier;  /*  24 */
    const int32_t *shift;       /*  28 */
    int32_t quant_step;         /*  32: bytes */
    int32_t offset;             /*  36 */
    int8_t *output;             /*  40 */
    int32_t output_step;        /*  44 */
    const int8_t *output_end;   /*  48 */
    const void *weight;         /*  52 */
    int32_t stride;             /*  56: x1: bytes from a row to the next */
    int32_t start;              /*  60: x4, int4: how the next row starts; x1: where in the loop */
    int32_t tail;               /*  64: x1: how rows end; int4: rows that start at a byte */
    int32_t odd_tail;           /*  68: int4: how the other rows end */
    int32_t odd_overlap;        /*  72: int4: overlap of rows that start at an odd nibble */
    int32_t even_start;         /*  76: x4, int4: start of rows that start at a byte */
    int32_t odd_start;          /*  80: x4, int4: start of the others */
    int32_t even_overlap;       /*  84: x4, int4: overlap of rows that start at a byte */
    int32_t uniform;            /*  88: x1: all rows share the multiplier and the short shift below */
    int32_t uniform_multiplier; /*  92 */
    int32_t uniform_right;      /*  96 */
    int32_t sums[2];            /* 100: x1: of the rows at which it stopped */
} mn_frame;

#if MN_DSP
_Static_assert(offsetof(mn_frame, singles) == 16, "offset in the assembler");
_Static_assert(offsetof(mn_frame, multiplier) == 24, "offset in the assembler");
_Static_assert(offsetof(mn_frame, output_end) == 48, "offset in the assembler");
_Static_assert(offsetof(mn_frame, uniform) == 88, "offset in the assembler");
_Static_assert(offsetof(mn_frame, sums) == 100, "offset in the assembler");

/* sum, already doubled -> int8; r9 output offset */
#define MN_REQUANTIZE_DOUBLED(sum, multiplier, shift)                                              \
    "smmulr " sum ", " sum ", " multiplier "\n\t"                                                  \
    "add " sum ", " sum ", " sum ", asr #31\n\t"                                                   \
    "asrs " sum ", " sum ", " shift "\n\t"                                                         \
    "adc " sum ", " sum ", r9\n\t"                                                                 \
    "ssat " sum ", #8, " sum "\n\t"

#define MN_REQUANTIZE(sum, multiplier, shift)                                                      \
    "qadd " sum ", " sum ", " sum "\n\t" MN_REQUANTIZE_DOUBLED(sum, multiplier, shift)

/*
 * r3 .. r6, requantised by `requantize`, to one output channel of four positions; then 2 (the next
 * row) or 9 (the end). r0 is the frame.
 */
#define MN_STORE_X4(requantize)                                                                    \
    "add r12, r0, #24\n\t"                                                                         \
    "ldmia r12, {r1, r7, r8, r9, r10, r11}\n\t"                                                    \
    "ldr lr, [r7]\n\t"                                                                             \
    "rsb lr, lr, #0\n\t"                                                                           \
    "add r7, r7, r8\n\t"                                                                           \
    "str r7, [r0, #28]\n\t"                                                                        \
    "ldr r7, [r1]\n\t"                                                                             \
    "add r1, r1, r8\n\t"                                                                           \
    "str r1, [r0, #24]\n\t" requantize("r3", "r7", "lr") requantize("r4", "r7", "lr")              \
        requantize("r5", "r7", "lr") requantize("r6", "r7", "lr")                                  \
    "strb r3, [r10]\n\t"                                                                           \
    "strb r4, [r10, r11]\n\t"                                                                      \
    "add r12, r10, r11, lsl #1\n\t"                                                                \
    "strb r5, [r12]\n\t"                                                                           \
    "strb r6, [r12, r11]\n\t"                                                                      \
    "ldr r12, [r0, #48]\n\t"                                                                       \
    "add r10, r10, #1\n\t"                                                                         \
    "str r10, [r0, #40]\n\t"                                                                       \
    "cmp r10, r12\n\t"                                                                             \
    "bne 2b\n\t"                                                                                   \
    "b 9f\n\t"

/*
 * r3 and r4 to two output channels of one position; then 2 (the next rows) or 9 (the end), or 8
 * with the frame unchanged when a shift is not short.
 */
#define MN_STORE_X1                                                                                \
    "ldr r7, [r0, #88]\n\t"                                                                        \
    "ldrd r9, r10, [r0, #36]\n\t"                                                                  \
    "cbz r7, 70f\n\t"                                                                              \
    "ldrd r11, lr, [r0, #92]\n\t" MN_REQUANTIZE("r3", "r11", "lr")                                 \
        MN_REQUANTIZE("r4", "r11", "lr")                                                           \
    "71:\n\t"                                                                                      \
    "ldr r12, [r0, #48]\n\t"                                                                       \
    "strb r3, [r10], #1\n\t"                                                                       \
    "strb r4, [r10], #1\n\t"                                                                       \
    "str r10, [r0, #40]\n\t"                                                                       \
    "cmp r10, r12\n\t"                                                                             \
    "bne 2b\n\t"                                                                                   \
    "b 9f\n"                                                                                       \
    "70:\n\t"                                                                                      \
    "add r12, r0, #24\n\t"                                                                         \
    "ldmia r12, {r1, r7, r8}\n\t"                                                                  \
    "ldr lr, [r7]\n\t"                                                                             \
    "cmn lr, #21\n\t"                                                                              \
    "bls 8f\n\t"                                                                                   \
    "ldr r12, [r7, r8]\n\t"                                                                        \
    "cmn r12, #21\n\t"                                                                             \
    "bls 8f\n\t"                                                                                   \
    "rsb lr, lr, #0\n\t"                                                                           \
    "rsb r12, r12, #0\n\t"                                                                         \
    "ldr r11, [r1]\n\t"                                                                            \
    "ldr r6, [r1, r8]\n\t"                                                                         \
    "add r1, r1, r8, lsl #1\n\t"                                                                   \
    "add r7, r7, r8, lsl #1\n\t"                                                                   \
    "strd r1, r7, [r0, #24]\n\t" MN_REQUANTIZE("r3", "r11", "lr")                                  \
        MN_REQUANTIZE("r4", "r6", "r12") "b 71b\n\t"

#endif

/* Field by field: a compound literal becomes calls of memset and memcpy. */
MN_INLINE void mn_set_frame(mn_frame *frame, const uint32_t *columns, const mn_rows *rows,
                            int8_t *output, int32_t output_step)
{
    frame->columns = columns;
    frame->bias = rows->bias;
    frame->bias_step = 4 * rows->bias_step;
    frame->multiplier = rows->multiplier;
    frame->shift = rows->shift;
    frame->quant_step = 4 * rows->quant_step;
    frame->offset = rows->output_offset;
    frame->output = output;
    frame->output_step = output_step;
    frame->output_end = output + rows->rows;
}

/* Lets rows of one position share one multiplier and shift. */
MN_INLINE void mn_set_uniform(mn_frame *frame, const mn_rows *rows)
{
    frame->uniform = rows->quant_step == 0 && mn_is_short_shift(*rows->shift);
    frame->uniform_multiplier = *rows->multiplier;
    frame->uniform_right = -*rows->shift;
}

/*
 * A loop unrolled four times that starts in the middle: the number of passes, the first one partial,
 * and where it starts, 0 .. 4 units before the end of a pass (0: no unit at all).
 */
MN_INLINE void mn_set_passes(mn_frame *frame, int32_t units)
{
    frame->blocks = (int32_t)(((uint32_t)units + 3u) >> 2);
    frame->start = units == 0 ? 0 : ((units - 1) & 3) + 1;
}

/* Whether an x1 loop has stopped before the last row, at one with another shift. */
MN_INLINE int mn_is_stopped(const mn_frame *frame)
{
    return frame->output != frame->output_end;
}

/* One output of a row, any shift; moves the frame to the next row. */
MN_INLINE void mn_finish_row(mn_frame *frame, int32_t sum)
{
    *frame->output++ =
        (int8_t)mn_requantize_s8_any(sum, *frame->multiplier, *frame->shift, frame->offset);
    frame->multiplier += frame->quant_step / 4;
    frame->shift += frame->quant_step / 4;
}

#endif
