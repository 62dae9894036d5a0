/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacking int4 weights, eight from a word or four from a half word, for the inner loops.
 *
 * Each nibble is left in the upper half of its byte, so that SXTB16 sign-extends it for free and
 * every sum comes out 16 times too large (shifted back, exactly, before requantisation). A group
 * that starts at an odd nibble reads its words at both byte boundaries instead of shifting: one
 * load more, no carry between groups.
 */
#ifndef MN_NIBBLES_H
#define MN_NIBBLES_H

#include "mn_intrinsics.h"

/* How a row ends after its whole groups: values of a frame's tail, indices of branch tables. */
enum
{
    MN_TAIL_NONE = 0,
    MN_TAIL_HALF_EVEN = 1,
    MN_TAIL_HALF_ODD = 2,
    MN_TAIL_FULL_EVEN = 3,
    MN_TAIL_FULL_ODD = 4,
};

#if MN_DSP
/* r12 = elements 0, 2, 4, 6 and lr = elements 1, 3, 5, 7; the weight register advances; r0 mask */
#define MN_UNPACK_EVEN(weight)                                                                     \
    "ldr lr, [" weight "], #4\n\t"                                                                 \
    "and r12, r0, lr, lsl #4\n\t"                                                                  \
    "and lr, lr, r0\n\t"

#define MN_UNPACK_ODD(weight)                                                                      \
    "ldr lr, [" weight ", #1]\n\t"                                                                 \
    "ldr r12, [" weight "], #4\n\t"                                                                \
    "and lr, r0, lr, lsl #4\n\t"                                                                   \
    "and r12, r12, r0\n\t"

/* The same for a half group: elements 0, 2 and 1, 3 in bytes 0 and 2. */
#define MN_UNPACK_HALF_EVEN(weight)                                                                \
    "ldrh lr, [" weight "], #2\n\t"                                                                \
    "orr lr, lr, lr, lsl #8\n\t"                                                                   \
    "and r12, r0, lr, lsl #4\n\t"                                                                  \
    "and lr, lr, r0\n\t"

#define MN_UNPACK_HALF_ODD(weight)                                                                 \
    "ldrh lr, [" weight ", #1]\n\t"                                                                \
    "ldrh r12, [" weight "], #2\n\t"                                                               \
    "orr lr, lr, lr, lsl #8\n\t"                                                                   \
    "orr r12, r12, r12, lsl #8\n\t"                                                                \
    "and lr, r0, lr, lsl #4\n\t"                                                                   \
    "and r12, r12, r0\n\t"

#endif

/*
 * How many inputs the last group of a row of `depth` nibbles covers again, in bytes that a row
 * which starts at a byte and one which does not reach back, and how they end.
 */
typedef struct
{
    int32_t overlap;
    int32_t odd_overlap;
    int32_t tail;
    int32_t odd_tail;
} mn_tails;

MN_INLINE mn_tails mn_tails_of(int32_t depth)
{
    const int32_t rest = depth & 7;
    const int32_t overlap = -rest & (rest > 4 ? 7 : 3);
    const int32_t tail = rest == 0  ? MN_TAIL_NONE
                         : rest > 4 ? MN_TAIL_FULL_EVEN
                                    : MN_TAIL_HALF_EVEN;
    const mn_tails tails = {(overlap + 1) >> 1, overlap >> 1, tail + (depth & 1), tail};
    return tails;
}

/*
 * Sums that are 16 times too large wrap in rows deeper than this: 2^27 / (8 * 255), the largest
 * product of a weight and an input with its offset.
 */
#define MN_DEEPEST_W4 65793

#endif
