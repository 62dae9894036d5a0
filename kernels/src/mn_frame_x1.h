/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the assembler loops over rows of weights times one column, two rows at a time, keep in
 * memory: in the order in which one LDM fetches what comes next.
 */
#ifndef MN_FRAME_X1_H
#define MN_FRAME_X1_H

#include "mn_matmul.h"
#include "mn_requantize.h"

#if MN_DSP
/* How a frame's rows are requantised. */
enum
{
    MN_SHARED,         /* all by one multiplier and one right shift >= 2, in the frame less 1 */
    MN_SHARED_RIGHT_1, /* all by one multiplier and a right shift of 1 */
    MN_SHARED_LEFT,    /* all by one multiplier and one left shift */
    MN_PER_ROW,        /* each by its own */
};

typedef struct
{
    /* The start of a pair of rows. */
    const uint32_t *columns;
    int32_t stride;          /* bytes from a row to the next */
    int32_t passes;          /* over the unrolled groups, the first one partial */
    int32_t entry;           /* where in the groups a row starts */
    const int32_t *bias_end; /* behind the last row's, as the other ends */
    int32_t row;             /* minus the rows left, an even number */
    /* The end of a pair of rows, together with its number. */
    int32_t sharing;
    union
    {
        const int32_t *end;
        int32_t value;
    } multiplier, shift;
    int32_t offset;
    int8_t *output_end;
    int32_t half; /* MN_HALF */
    /* The rest. */
    int32_t left_start[2];
    const void *weight;
    int32_t tail;        /* how rows end after the unrolled groups */
    int32_t overlap;     /* bytes that the last group reaches back; int8: 0, there is none */
    int32_t odd_overlap; /* int4: overlap of rows that start at an odd nibble */
} mn_frame_x1;

#define MN_FOLLOWS(field, next)                                                                    \
    _Static_assert(offsetof(mn_frame_x1, next) == offsetof(mn_frame_x1, field) + 4, "one LDM")
MN_FOLLOWS(columns, stride);
MN_FOLLOWS(stride, passes);
MN_FOLLOWS(passes, entry);
MN_FOLLOWS(entry, bias_end);
MN_FOLLOWS(bias_end, row);
MN_FOLLOWS(row, sharing);
MN_FOLLOWS(sharing, multiplier);
MN_FOLLOWS(multiplier, shift);
MN_FOLLOWS(shift, offset);
MN_FOLLOWS(offset, output_end);
MN_FOLLOWS(output_end, half);
#undef MN_FOLLOWS

/* A field's place, as the operand %[field] of the assembler. */
#define MN_PLACE(field) [field] "i"(offsetof(mn_frame_x1, field))

#define MN_LEFT_START "ldrd r1, lr, [r0, %[left_start]]"
#define MN_LEFT_X1(sum, multiplier, left)                                                          \
    MN_REQUANTIZE_LEFT(sum, multiplier, left, MN_LEFT_START, "r1", "lr")
#define MN_RIGHT_X1(sum, multiplier, right)                                                        \
    MN_REQUANTIZE(sum, multiplier, right, "r10", "r12", "r1", "lr")

/*
 * The sums r3 and r4 to two output channels of one position; then 2 (the next rows) or 9 (the
 * end). r0 is the frame; r6 .. r12 are row .. half.
 */
#define MN_STORE_X1                                                                                \
    "add r11, r11, r6\n\t"                                                                         \
    "cbnz r7, 70f\n\t" MN_RIGHT_X1("r3", "r8", "r9") MN_RIGHT_X1("r4", "r8", "r9")                 \
    "71:\n\t"                                                                                      \
    "strb r3, [r11]\n\t"                                                                           \
    "strb r4, [r11, #1]\n\t"                                                                       \
    "adds r6, r6, #2\n\t"                                                                          \
    "str r6, [r0, %[row]]\n\t"                                                                     \
    "bne 2b\n\t"                                                                                   \
    "b 9f\n"                                                                                       \
    "70:\n\t"                                                                                      \
    "tbb [pc, r7]\n"                                                                               \
    "12:\n\t"                                                                                      \
    ".byte 0, (73f-12b)/2, (72f-12b)/2, (74f-12b)/2\n"                                             \
    "72:\n\t" MN_LEFT_X1("r3", "r8", "r9") MN_LEFT_X1("r4", "r8", "r9")                            \
    "b 71b\n"                                                                                      \
    "73:\n\t" MN_REQUANTIZE_RIGHT_1("r3", "r8", "r10") MN_REQUANTIZE_RIGHT_1("r4", "r8", "r10")    \
    "b 71b\n"                                                                                      \
    /* Each by its own: multipliers r7 and r8, shifts r5 and r9. */                                \
    "74:\n\t"                                                                                      \
    "add r8, r8, r6, lsl #2\n\t"                                                                   \
    "ldrd r7, r8, [r8]\n\t"                                                                        \
    "add r9, r9, r6, lsl #2\n\t"                                                                   \
    "ldrd r5, r9, [r9]\n\t"                                                                        \
    "rsbs r5, r5, #-1\n\t"                                                                         \
    "ble 76f\n\t" MN_RIGHT_X1("r3", "r7", "r5")                                                    \
    "75:\n\t"                                                                                      \
    "rsbs r9, r9, #-1\n\t"                                                                         \
    "ble 78f\n\t" MN_RIGHT_X1("r4", "r8", "r9")                                                    \
    "b 71b\n"                                                                                      \
    "76:\n\t"                                                                                      \
    "beq 77f\n\t"                                                                                  \
    "mvn r5, r5\n\t" MN_LEFT_X1("r3", "r7", "r5")                                                  \
    "b 75b\n"                                                                                      \
    "77:\n\t" MN_REQUANTIZE_RIGHT_1("r3", "r7", "r10")                                             \
    "b 75b\n"                                                                                      \
    "78:\n\t"                                                                                      \
    "beq 79f\n\t"                                                                                  \
    "mvn r9, r9\n\t" MN_LEFT_X1("r4", "r8", "r9")                                                  \
    "b 71b\n"                                                                                      \
    "79:\n\t" MN_REQUANTIZE_RIGHT_1("r4", "r8", "r10")                                             \
    "b 71b\n"

/*
 * A loop unrolled four times that starts in the middle: the number of passes, the first one
 * partial, and where it starts, 0 .. 4 units before the end of a pass (0: no unit at all).
 */
MN_INLINE void mn_set_passes(mn_frame_x1 *frame, int32_t units)
{
    frame->passes = (int32_t)(((uint32_t)units + 3u) >> 2);
    frame->entry = units == 0 ? 0 : ((units - 1) & 3) + 1;
}

/* The rows from `first` on, an even number; field by field as in mn_frame_x4.h. */
MN_INLINE void mn_set_rows_x1(mn_frame_x1 *frame, const mn_rows *rows, int8_t *output)
{
    frame->bias_end = rows->bias + rows->rows;
    frame->row = -rows->rows;
    if (rows->quant_step)
    {
        frame->sharing = MN_PER_ROW;
        frame->multiplier.end = rows->multiplier + rows->rows;
        frame->shift.end = rows->shift + rows->rows;
    }
    else
    {
        const int32_t shift = *rows->shift;
        frame->sharing = shift >= 0 ? MN_SHARED_LEFT : shift < -1 ? MN_SHARED : MN_SHARED_RIGHT_1;
        frame->multiplier.value = *rows->multiplier;
        frame->shift.value = shift >= 0 ? shift : -shift - 1;
    }
    frame->offset = rows->output_offset;
    frame->output_end = output + rows->rows;
    frame->half = MN_HALF;
    mn_set_left_start(frame->left_start, rows->output_offset);
}

/* One row, twice: what the last of an odd number of rows is multiplied as. */
typedef struct
{
    mn_rows rows;
    int32_t bias[2];
    int32_t multiplier[2];
    int32_t shift[2];
    int8_t output[2];
} mn_twin_rows;

MN_INLINE void mn_make_twins(mn_twin_rows *twins, const mn_rows *rows, int32_t row)
{
    const int32_t quant = row * rows->quant_step;
    for (int32_t i = 0; i < 2; ++i)
    {
        twins->bias[i] = rows->bias[row];
        twins->multiplier[i] = rows->multiplier[quant];
        twins->shift[i] = rows->shift[quant];
    }
    twins->rows.rows = 2;
    twins->rows.depth = rows->depth;
    twins->rows.bias = twins->bias;
    twins->rows.multiplier = twins->multiplier;
    twins->rows.shift = twins->shift;
    twins->rows.quant_step = 1;
    twins->rows.output_offset = rows->output_offset;
}
#endif

#endif
