/*
 * Unpacking eight int4 weights from one word, as assembler text for the inner loops.
 *
 * Each nibble is left in the upper half of its byte, so that SXTB16 sign-extends it for free and
 * every sum comes out 16 times too large (shifted back, exactly, before requantisation). A row that
 * starts at an odd nibble reads its words at both byte boundaries instead of shifting: one load
 * more, no carry between groups. Afterwards `first` holds elements 0, 2, 4, 6 and `second` elements
 * 1, 3, 5, 7, `weight` has advanced by 4; `mask` holds MN_NIBBLE_MASK.
 */
#ifndef MN_NIBBLES_H
#define MN_NIBBLES_H

#include "mn_intrinsics.h"

#define MN_NIBBLE_MASK 0xF0F0F0F0u
#define MN_NIBBLE_SCALE_BITS 4

#if MN_DSP
#define MN_UNPACK_EVEN(first, second, weight, mask)                                                \
    "ldr " second ", [" weight "], #4\n\t"                                                         \
    "and " first ", " mask ", " second ", lsl #4\n\t"                                              \
    "and " second ", " second ", " mask "\n\t"

#define MN_UNPACK_ODD(first, second, weight, mask)                                                 \
    "ldr " second ", [" weight ", #1]\n\t"                                                         \
    "ldr " first ", [" weight "], #4\n\t"                                                          \
    "and " second ", " mask ", " second ", lsl #4\n\t"                                             \
    "and " first ", " first ", " mask "\n\t"

#else
/* The four pairs of a group that starts at nibble `first`, in the order of mn_matmul.h. */
static inline void mn_unpack_nibbles(uint32_t pairs[4], const uint8_t *weights, int32_t first)
{
    const uint8_t *const weight = weights + (first >> 1);
    const uint32_t word = mn_read_u32(weight);
    const uint32_t even = (first & 1 ? word : word << 4) & MN_NIBBLE_MASK;
    const uint32_t odd = (first & 1 ? mn_read_u32(weight + 1) << 4 : word) & MN_NIBBLE_MASK;
    pairs[0] = mn_sxtb16(even);
    pairs[1] = mn_sxtb16_ror8(even);
    pairs[2] = mn_sxtb16(odd);
    pairs[3] = mn_sxtb16_ror8(odd);
}
#endif

#endif
