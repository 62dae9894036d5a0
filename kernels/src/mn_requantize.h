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

/*
 * Whether the short form below may replace mn_requantize when the result is limited to int8 right
 * after: shifts -1 .. -20, practically every layer.
 */
#define MN_SHORT_SHIFT_MAX 20

MN_INLINE int mn_is_short_shift(int32_t shift)
{
    return (uint32_t)(-shift - 1) < (uint32_t)MN_SHORT_SHIFT_MAX;
}

/*
 * mn_requantize(value) + offset limited to int8, for shift = -right, right 1 .. 20.
 *
 * QADD doubles the value, so SMMULR's rounded high word equals the doubling high multiply. Where the
 * doubling saturates, |value| >= 2^30 and a multiplier >= 2^30 give at least 2^29 before and 2^9
 * after the shift: limited to the same int8 bound either way. Adding the sign first and then the
 * bit shifted out last (the carry) rounds half away from zero.
 */
MN_INLINE int32_t mn_requantize_s8(int32_t value, int32_t multiplier, int32_t right, int32_t offset)
{
#if MN_DSP
    int32_t result;
    __asm__("qadd %0, %0, %0\n\t"
            "smmulr %0, %0, %2\n\t"
            "add %0, %0, %0, asr #31\n\t"
            "asrs %0, %0, %3\n\t"
            "adc %0, %0, %4\n\t"
            "ssat %0, #8, %0"
            : "=&r"(result)
            : "0"(value), "r"(multiplier), "r"(right), "r"(offset)
            : "cc");
    return result;
#else
    return mn_clamp(mn_add_wrapping(mn_requantize(value, multiplier, -right), offset), INT8_MIN, INT8_MAX);
#endif
}

/* Any shift; the rare form is kept out of line so that it costs no registers in the short one. */
int32_t mn_requantize_s8_any(int32_t value, int32_t multiplier, int32_t shift, int32_t offset);

#endif
