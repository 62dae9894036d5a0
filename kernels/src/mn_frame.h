/*
 * What the assembler loops over weight rows keep in memory, in the order in which they load it.
 *
 * The inner loops need every register, so the state of a row lives here: r0 holds the frame, and one
 * LDM fetches what the next step needs. Sums are requantised in place for shifts of -1 .. -20 (see
 * mn_requantize.h); a row with another shift leaves its sums in the frame and ends the loop, and C
 * finishes that row.
 */
#ifndef MN_FRAME_H
#define MN_FRAME_H

#include <stddef.h>

#include "mn_matmul.h"
#include "mn_requantize.h"

typedef struct
{
    const uint32_t *columns;   /*  0 */
    int32_t blocks;            /*  4: passes of the unrolled loop */
    const int32_t *bias;       /*  8 */
    int32_t bias_step;         /* 12: bytes */
    int32_t singles;           /* 16: groups after the unrolled loop */
    int32_t overlap;           /* 20: weights the last group reads again; 0: no such group */
    const int32_t *multiplier; /* 24 */
    const int32_t *shift;      /* 28 */
    int32_t quant_step;        /* 32: bytes */
    int32_t offset;            /* 36 */
    int8_t *output;            /* 40 */
    int32_t output_step;       /* 44 */
    const int8_t *output_end;  /* 48 */
    const void *weight;        /* 52 */
    int32_t depth;             /* 56 */
    int32_t first;             /* 60: nibble index of the next row */
    mn_sums sums;              /* 64 */
} mn_frame;

#if MN_DSP
_Static_assert(offsetof(mn_frame, singles) == 16, "offset in the assembler");
_Static_assert(offsetof(mn_frame, multiplier) == 24, "offset in the assembler");
_Static_assert(offsetof(mn_frame, output_end) == 48, "offset in the assembler");
_Static_assert(offsetof(mn_frame, sums) == 64, "offset in the assembler");

/* sum -> int8: r7 multiplier, lr right shift, r9 output offset */
#define MN_REQUANTIZE(sum)                                                                         \
    "qadd " sum ", " sum ", " sum "\n\t"                                                           \
    "smmulr " sum ", " sum ", r7\n\t"                                                              \
    "add " sum ", " sum ", " sum ", asr #31\n\t"                                                   \
    "asrs " sum ", " sum ", lr\n\t"                                                                \
    "adc " sum ", " sum ", r9\n\t"                                                                 \
    "ssat " sum ", #8, " sum "\n\t"

/*
 * For the next row: r7 multiplier, lr right shift, r9 offset, r10 output, r11 output step; the frame
 * moves on. Branches to 8 with the frame unchanged when the shift is not short. Loses r1, r8, r12.
 */
#define MN_LOAD_QUANTIZATION                                                                       \
    "add r12, r0, #24\n\t"                                                                         \
    "ldmia r12, {r1, r7, r8, r9, r10, r11}\n\t"                                                    \
    "ldr lr, [r7]\n\t"                                                                             \
    "cmn lr, #21\n\t"                                                                              \
    "bls 8f\n\t"                                                                                   \
    "rsb lr, lr, #0\n\t"                                                                           \
    "add r7, r7, r8\n\t"                                                                           \
    "str r7, [r0, #28]\n\t"                                                                        \
    "ldr r7, [r1]\n\t"                                                                             \
    "add r1, r1, r8\n\t"                                                                           \
    "str r1, [r0, #24]\n\t"

/* r3 .. r6 to one output channel of four positions; then 2 (the next row) or 9 (the end). */
#define MN_STORE_X4                                                                                \
    MN_REQUANTIZE("r3")                                                                            \
    MN_REQUANTIZE("r4")                                                                            \
    MN_REQUANTIZE("r5")                                                                            \
    MN_REQUANTIZE("r6")                                                                            \
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

#endif

MN_INLINE mn_frame mn_make_frame(const uint32_t *columns, const mn_rows *rows, int8_t *output,
                                 int32_t output_step)
{
    return (mn_frame){
        .columns = columns,
        .bias = rows->bias,
        .bias_step = 4 * rows->bias_step,
        .multiplier = rows->multiplier,
        .shift = rows->shift,
        .quant_step = 4 * rows->quant_step,
        .offset = rows->output_offset,
        .output = output,
        .output_step = output_step,
        .output_end = output + rows->rows,
        .depth = rows->depth,
    };
}

/* Whether the assembler has stopped before the last row, at one with another shift. */
MN_INLINE int mn_is_stopped(const mn_frame *frame)
{
    return frame->output != frame->output_end;
}

/* Finishes one row of four positions, any shift. */
MN_INLINE void mn_finish_row_x4(mn_frame *frame)
{
    const int32_t sums[4] = {frame->sums.s0, frame->sums.s1, frame->sums.s2, frame->sums.s3};
    int8_t *output = frame->output++;
    for (int32_t position = 0; position < 4; ++position, output += frame->output_step)
    {
        *output = (int8_t)mn_requantize_s8_any(sums[position], *frame->multiplier, *frame->shift,
                                               frame->offset);
    }
    frame->multiplier += frame->quant_step / 4;
    frame->shift += frame->quant_step / 4;
}

#endif
