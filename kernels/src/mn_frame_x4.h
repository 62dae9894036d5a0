/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the assembler loops over rows of weights times four columns keep in memory. They need every
 * register, so the state of a row lives here, in the order in which one LDM fetches what comes
 * next.
 */
#ifndef MN_FRAME_X4_H
#define MN_FRAME_X4_H

#include "mn_matmul.h"
#include "mn_requantize.h"

#if MN_DSP
typedef struct
{
    /* The start of a row. */
    const uint32_t *columns;
    int32_t passes;          /* int8: over the unrolled groups, the first one partial */
    int32_t entry;           /* where in the groups, or in which of its loops, a row starts */
    const int32_t *bias_end; /* behind the last row's, as the other ends */
    int32_t row;             /* minus the rows left */
    /* The end of a row, together with its number. */
    const int32_t *multiplier_end;
    const int32_t *shift_end;
    int32_t offset;
    int8_t *output_end; /* of the first position */
    int32_t output_step;
    int32_t half; /* MN_HALF */
    /* The rest. */
    int32_t left_start[2];
    const void *weight;
    int32_t overlap;      /* bytes that the last group reaches back; int8: 0, there is none */
    int32_t tail;         /* int4: how rows that start at a byte end */
    int32_t odd_tail;     /* int4: how the others, which start at an odd nibble, end */
    int32_t odd_overlap;  /* int4: overlap of the others */
    int32_t even_entry;   /* int4: entry of rows that start at a byte */
    int32_t odd_entry;    /* int4: entry of the others */
    int32_t even_overlap; /* int4: overlap of rows that start at a byte */
} mn_frame_x4;

#define MN_FOLLOWS(field, next)                                                                    \
    _Static_assert(offsetof(mn_frame_x4, next) == offsetof(mn_frame_x4, field) + 4, "one LDM")
MN_FOLLOWS(columns, passes);
MN_FOLLOWS(passes, entry);
MN_FOLLOWS(entry, bias_end);
MN_FOLLOWS(bias_end, row);
MN_FOLLOWS(row, multiplier_end);
MN_FOLLOWS(multiplier_end, shift_end);
MN_FOLLOWS(shift_end, offset);
MN_FOLLOWS(offset, output_end);
MN_FOLLOWS(output_end, output_step);
MN_FOLLOWS(output_step, half);
#undef MN_FOLLOWS

/* A field's place, as the operand %[field] of the assembler. */
#define MN_PLACE(field) [field] "i"(offsetof(mn_frame_x4, field))

#define MN_LEFT_START "ldrd r1, r7, [r0, %[left_start]]"

/*
 * The sums r3 .. r6 to one output channel of four positions; then 2 (the next row) or 9 (the end).
 * r0 is the frame; r7 .. r12 and lr are row, multiplier_end .. half.
 */
#define MN_STORE_X4                                                                                \
    "ldr r9, [r9, r7, lsl #2]\n\t"                                                                 \
    "ldr r8, [r8, r7, lsl #2]\n\t"                                                                 \
    "add r11, r11, r7\n\t"                                                                         \
    "rsbs r9, r9, #-1\n\t"                                                                         \
    "ble 80f\n\t" MN_REQUANTIZE("r3", "r8", "r9", "r10", "lr", "r1", "r7")                         \
        MN_REQUANTIZE("r4", "r8", "r9", "r10", "lr", "r1", "r7")                                   \
            MN_REQUANTIZE("r5", "r8", "r9", "r10", "lr", "r1", "r7")                               \
                MN_REQUANTIZE("r6", "r8", "r9", "r10", "lr", "r1", "r7") "81:\n\t"                 \
    "strb r3, [r11]\n\t"                                                                           \
    "strb r4, [r11, r12]\n\t"                                                                      \
    "add r11, r11, r12, lsl #1\n\t"                                                                \
    "strb r5, [r11]\n\t"                                                                           \
    "strb r6, [r11, r12]\n\t"                                                                      \
    "ldr r7, [r0, %[row]]\n\t"                                                                     \
    "adds r7, r7, #1\n\t"                                                                          \
    "str r7, [r0, %[row]]\n\t"                                                                     \
    "bne 2b\n\t"                                                                                   \
    "b 9f\n"                                                                                       \
    /* A right shift of 1, or a left shift, whose ones' complement r9 is. */                       \
    "80:\n\t"                                                                                      \
    "bne 82f\n\t" MN_REQUANTIZE_RIGHT_1("r3", "r8", "r10")                                         \
        MN_REQUANTIZE_RIGHT_1("r4", "r8", "r10") MN_REQUANTIZE_RIGHT_1("r5", "r8", "r10")          \
            MN_REQUANTIZE_RIGHT_1("r6", "r8", "r10")                                               \
    "b 81b\n"                                                                                      \
    "82:\n\t"                                                                                      \
    "mvn r9, r9\n\t" MN_REQUANTIZE_LEFT("r3", "r8", "r9", MN_LEFT_START, "r1", "r7")               \
        MN_REQUANTIZE_LEFT("r4", "r8", "r9", MN_LEFT_START, "r1", "r7")                            \
            MN_REQUANTIZE_LEFT("r5", "r8", "r9", MN_LEFT_START, "r1", "r7")                        \
                MN_REQUANTIZE_LEFT("r6", "r8", "r9", MN_LEFT_START, "r1", "r7")                    \
    "b 81b\n"

/* Field by field: a compound literal becomes calls of memset and memcpy. */
MN_INLINE void mn_set_frame_x4(mn_frame_x4 *frame, const uint32_t *columns, const mn_rows *rows,
                               int8_t *output, int32_t output_step)
{
    frame->columns = columns;
    frame->bias_end = rows->bias + rows->rows;
    frame->row = -rows->rows;
    frame->multiplier_end = rows->multiplier + rows->rows;
    frame->shift_end = rows->shift + rows->rows;
    frame->offset = rows->output_offset;
    frame->output_end = output + rows->rows;
    frame->output_step = output_step;
    frame->half = MN_HALF;
    mn_set_left_start(frame->left_start, rows->output_offset);
}
#endif

#endif
