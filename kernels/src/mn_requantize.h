/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TFLite's MultiplyByQuantizedMultiplier, double-rounding variant (tflite common.cc without
 * TFLITE_SINGLE_ROUNDING): rounding doubling high multiply, then a division by a power of two that
 * rounds half away from zero.
 */
#ifndef MN_REQUANTIZE_H
#define MN_REQUANTIZE_H

#include "mn_intrinsics.h"

/* value / 2^exponent, half away from zero; exponent 0 .. 31 (gemmlowp RoundingDivideByPOT) */
MN_INLINE int32_t mn_divide_by_power_of_two(int32_t value, int32_t exponent)
{
    const int32_t mask = (int32_t)((1u << exponent) - 1u);
    const int32_t threshold = (mask >> 1) + (value < 0);
    return mn_asr(value, exponent) + ((value & mask) > threshold);
}

/* (a * b + 2^30) >> 31; b >= 0 (gemmlowp SaturatingRoundingDoublingHighMul for b >= 0) */
MN_INLINE int32_t mn_doubling_high_mul(int32_t a, int32_t b)
{
    const int64_t product = (int64_t)a * b + (1 << 30);
    const uint32_t high = (uint32_t)((uint64_t)product >> 32);
    return (int32_t)((high << 1) | ((uint32_t)(uint64_t)product >> 31));
}

/* The exact definition: any value, multiplier >= 0, shift -31 .. 30 (a left shift wraps). */
MN_INLINE int32_t mn_requantize(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int32_t shifted = (int32_t)((uint32_t)value << left);
    return mn_divide_by_power_of_two(mn_doubling_high_mul(shifted, multiplier), right);
}

/* value + offset, modulo 2^32 */
MN_INLINE int32_t mn_add_wrapping(int32_t value, int32_t offset)
{
    return (int32_t)((uint32_t)value + (uint32_t)offset);
}

/* value limited to low .. high */
MN_INLINE int32_t mn_clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* mn_requantize(value) + offset (modulo 2^32) limited to int8 */
int32_t mn_requantize_s8(int32_t value, int32_t multiplier, int32_t shift, int32_t offset);

/* Where MN_REQUANTIZE_LEFT starts: offset * 2^31 + 2^30, the low word first. */
MN_INLINE void mn_set_left_start(int32_t start[2], int32_t offset)
{
    start[0] = (int32_t)(((uint32_t)offset << 31) | (1u << 30));
    start[1] = mn_asr(offset, 1);
}

#if MN_DSP
/*
 * The same for assembler loops, from `sum` to `sum`, by what the shift is. `low` and `high` are
 * spoilt.
 *
 * Right shifts of 2 and more; `right` holds the shift less one, `half` 2^30. TFLite rounds twice:
 * to high = floor((product + 2^30) / 2^31), and that shifted, half away from zero, which is
 * floor((high - (high < 0) + 2^(shift - 1)) / 2^shift). 2^(shift - 1) is even, so half of the sum
 * will do: floor((product + 2^30) / 2^32), or with - 2^30 for negative ones, and the bit shifted
 * out last (the carry) rounds.
 */
#define MN_REQUANTIZE(sum, multiplier, right, offset, half, low, high)                             \
    "asr " high ", " sum ", #31\n\t"                                                               \
    "eor " low ", " half ", " high ", lsl #31\n\t"                                                 \
    "smlal " low ", " high ", " sum ", " multiplier "\n\t"                                         \
    "asrs " sum ", " high ", " right "\n\t"                                                        \
    "adc " sum ", " sum ", " offset "\n\t"                                                         \
    "ssat " sum ", #8, " sum "\n\t"

/*
 * A right shift of 1. QADD doubles the sum, so SMMULR's rounded high word is the doubling high
 * multiply. Where the doubling saturates, |sum| >= 2^30 and a multiplier >= 2^30 give at least
 * 2^28: limited to the same int8 either way. Adding the sign first and then the carry rounds half
 * away from zero.
 */
#define MN_REQUANTIZE_RIGHT_1(sum, multiplier, offset)                                             \
    "qadd " sum ", " sum ", " sum "\n\t"                                                           \
    "smmulr " sum ", " sum ", " multiplier "\n\t"                                                  \
    "add " sum ", " sum ", " sum ", asr #31\n\t"                                                   \
    "asrs " sum ", " sum ", #1\n\t"                                                                \
    "adc " sum ", " sum ", " offset "\n\t"                                                         \
    "ssat " sum ", #8, " sum "\n\t"

/*
 * Shifts of `left` >= 0: floor((product + 2^30) / 2^31) + offset, which is bits 31 .. 62 of the
 * product and mn_set_left_start(offset), two words that `load` brings to `low` and `high`.
 */
#define MN_REQUANTIZE_LEFT(sum, multiplier, left, load, low, high)                                 \
    "lsl " sum ", " sum ", " left "\n\t" load "\n\t"                                               \
    "smlal " low ", " high ", " sum ", " multiplier "\n\t"                                         \
    "lsl " high ", " high ", #1\n\t"                                                               \
    "orr " sum ", " high ", " low ", lsr #31\n\t"                                                  \
    "ssat " sum ", #8, " sum "\n\t"

#define MN_HALF (1 << 30)
#endif

/* mn_requantize_s8 for C loops, without a call. */
MN_INLINE int32_t mn_requantize_s8_inline(int32_t value, int32_t multiplier, int32_t shift,
                                          int32_t offset)
{
#if MN_DSP
    int32_t low;
    int32_t high;
    if (shift < -1)
    {
        __asm__(MN_REQUANTIZE("%0", "%3", "%4", "%5", "%6", "%1", "%2")
                : "+&r"(value), "=&r"(low), "=&r"(high)
                : "r"(multiplier), "r"(~shift), "r"(offset), "r"(MN_HALF)
                : "cc");
    }
    else if (shift < 0)
    {
        __asm__(MN_REQUANTIZE_RIGHT_1("%0", "%1", "%2")
                : "+&r"(value)
                : "r"(multiplier), "r"(offset)
                : "cc");
    }
    else
    {
        /* From zero on: the two bits below the high word are added one by one. */
        __asm__("lsl %0, %0, %4\n\t"
                "smull %1, %2, %0, %3\n\t"
                "adds %1, %1, %1\n\t"
                "adc %2, %2, %2\n\t"
                "adds %1, %1, %1\n\t"
                "adc %0, %2, %5\n\t"
                "ssat %0, #8, %0\n\t"
                : "+&r"(value), "=&r"(low), "=&r"(high)
                : "r"(multiplier), "r"(shift), "r"(offset)
                : "cc");
    }
    return value;
#else
    return mn_requantize_s8(value, multiplier, shift, offset);
#endif
}

#endif
