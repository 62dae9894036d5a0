/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few Cortex-M DSP instructions that the kernels use, one inline function each.
 *
 * With the DSP extension (__ARM_FEATURE_DSP: Cortex-M4, M7, M33 with DSP) every function is one
 * instruction; elsewhere it is C with the same result to the bit, so that both builds share the
 * kernels' sources. A "pair" is two int16 lanes in one uint32_t, the lower lane in bits 0..15.
 */
#ifndef MN_INTRINSICS_H
#define MN_INTRINSICS_H

#include <stdint.h>
#include <string.h>

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP && defined(__thumb2__) && !defined(MN_PORTABLE)
#define MN_DSP 1
#else
#define MN_DSP 0
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "packed tensors are read as little-endian words"
#endif

#define MN_INLINE static inline __attribute__((always_inline))

/* Unaligned words: a plain LDR or STR on every core with the DSP extension. */
MN_INLINE uint32_t mn_read_u32(const void *source)
{
    uint32_t value;
    memcpy(&value, source, sizeof(value));
    return value;
}

MN_INLINE void mn_write_u32(void *destination, uint32_t value)
{
    memcpy(destination, &value, sizeof(value));
}

#if !MN_DSP
MN_INLINE int32_t mn_low_lane(uint32_t pair)
{
    return (int16_t)(uint16_t)(pair & 0xFFFFu);
}

MN_INLINE int32_t mn_high_lane(uint32_t pair)
{
    return (int16_t)(uint16_t)(pair >> 16);
}

MN_INLINE uint32_t mn_make_pair(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xFFFFu) | ((uint32_t)high << 16);
}

/* Arithmetic shift right that ISO C leaves to the implementation only for negative values. */
MN_INLINE int32_t mn_asr(int32_t value, int32_t shift)
{
    return value < 0 ? ~(~value >> shift) : value >> shift;
}
#else
MN_INLINE int32_t mn_asr(int32_t value, int32_t shift)
{
    return value >> shift;
}
#endif

/* accumulator + a.low * b.low + a.high * b.high, modulo 2^32 */
MN_INLINE int32_t mn_smlad(uint32_t a, uint32_t b, int32_t accumulator)
{
#if MN_DSP
    int32_t result;
    __asm__("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(accumulator));
    return result;
#else
    const uint32_t low = (uint32_t)(mn_low_lane(a) * mn_low_lane(b));
    const uint32_t high = (uint32_t)(mn_high_lane(a) * mn_high_lane(b));
    return (int32_t)((uint32_t)accumulator + low + high);
#endif
}

/* accumulator + a.low * b.low, modulo 2^32 */
MN_INLINE int32_t mn_smlabb(uint32_t a, uint32_t b, int32_t accumulator)
{
#if MN_DSP
    int32_t result;
    __asm__("smlabb %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(accumulator));
    return result;
#else
    return (int32_t)((uint32_t)accumulator + (uint32_t)(mn_low_lane(a) * mn_low_lane(b)));
#endif
}

/* accumulator + a.high * b.low, modulo 2^32 */
MN_INLINE int32_t mn_smlatb(uint32_t a, uint32_t b, int32_t accumulator)
{
#if MN_DSP
    int32_t result;
    __asm__("smlatb %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(accumulator));
    return result;
#else
    return (int32_t)((uint32_t)accumulator + (uint32_t)(mn_high_lane(a) * mn_low_lane(b)));
#endif
}

/* accumulator + a.high * b.high, modulo 2^32 */
MN_INLINE int32_t mn_smlatt(uint32_t a, uint32_t b, int32_t accumulator)
{
#if MN_DSP
    int32_t result;
    __asm__("smlatt %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(accumulator));
    return result;
#else
    return (int32_t)((uint32_t)accumulator + (uint32_t)(mn_high_lane(a) * mn_high_lane(b)));
#endif
}

/* bytes 0 and 2, sign-extended into a pair */
MN_INLINE uint32_t mn_sxtb16(uint32_t bytes)
{
#if MN_DSP
    uint32_t result;
    __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(bytes));
    return result;
#else
    return mn_make_pair((int8_t)(uint8_t)bytes, (int8_t)(uint8_t)(bytes >> 16));
#endif
}

/* bytes 1 and 3, sign-extended into a pair */
MN_INLINE uint32_t mn_sxtb16_ror8(uint32_t bytes)
{
#if MN_DSP
    uint32_t result;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(bytes));
    return result;
#else
    return mn_make_pair((int8_t)(uint8_t)(bytes >> 8), (int8_t)(uint8_t)(bytes >> 24));
#endif
}

/* pair + (bytes 0 and 2 sign-extended), lanes modulo 2^16 */
MN_INLINE uint32_t mn_sxtab16(uint32_t pair, uint32_t bytes)
{
#if MN_DSP
    uint32_t result;
    __asm__("sxtab16 %0, %1, %2" : "=r"(result) : "r"(pair), "r"(bytes));
    return result;
#else
    return mn_make_pair(mn_low_lane(pair) + (int8_t)(uint8_t)bytes,
                        mn_high_lane(pair) + (int8_t)(uint8_t)(bytes >> 16));
#endif
}

/* pair + (bytes 1 and 3 sign-extended), lanes modulo 2^16 */
MN_INLINE uint32_t mn_sxtab16_ror8(uint32_t pair, uint32_t bytes)
{
#if MN_DSP
    uint32_t result;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(pair), "r"(bytes));
    return result;
#else
    return mn_sxtab16(pair, bytes >> 8);
#endif
}

/* pair + (bytes 0 and 2 zero-extended), lanes modulo 2^16 */
MN_INLINE uint32_t mn_uxtab16(uint32_t pair, uint32_t bytes)
{
#if MN_DSP
    uint32_t result;
    __asm__("uxtab16 %0, %1, %2" : "=r"(result) : "r"(pair), "r"(bytes));
    return result;
#else
    return mn_make_pair(mn_low_lane(pair) + (uint8_t)bytes,
                        mn_high_lane(pair) + (uint8_t)(bytes >> 16));
#endif
}

/* pair + (bytes 1 and 3 zero-extended), lanes modulo 2^16 */
MN_INLINE uint32_t mn_uxtab16_ror8(uint32_t pair, uint32_t bytes)
{
#if MN_DSP
    uint32_t result;
    __asm__("uxtab16 %0, %1, %2, ror #8" : "=r"(result) : "r"(pair), "r"(bytes));
    return result;
#else
    return mn_uxtab16(pair, bytes >> 8);
#endif
}

/* the low lane of `low` below the low lane of `high` */
MN_INLINE uint32_t mn_pkhbt(uint32_t low, uint32_t high)
{
#if MN_DSP
    uint32_t result;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(low), "r"(high));
    return result;
#else
    return (low & 0xFFFFu) | (high << 16);
#endif
}

/* the high lane of `low` below the high lane of `high` */
MN_INLINE uint32_t mn_pkhtb(uint32_t high, uint32_t low)
{
#if MN_DSP
    uint32_t result;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(result) : "r"(high), "r"(low));
    return result;
#else
    return (high & 0xFFFF0000u) | (low >> 16);
#endif
}

/* the high word of a * b, rounded */
MN_INLINE int32_t mn_smmulr(int32_t a, int32_t b)
{
#if MN_DSP
    int32_t result;
    __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    const uint64_t sum = (uint64_t)((int64_t)a * b) + (1u << 31);
    return (int32_t)(uint32_t)(sum >> 32);
#endif
}

/* lane-wise maximum of four int8 */
MN_INLINE uint32_t mn_max_s8x4(uint32_t a, uint32_t b)
{
#if MN_DSP
    uint32_t result;
    /* One statement: SEL reads the GE flags that SSUB8 sets. */
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b) : "cc");
    return result;
#else
    uint32_t result = 0;
    for (int lane = 0; lane < 32; lane += 8)
    {
        const int8_t x = (int8_t)(uint8_t)(a >> lane);
        const int8_t y = (int8_t)(uint8_t)(b >> lane);
        result |= (uint32_t)(uint8_t)(x > y ? x : y) << lane;
    }
    return result;
#endif
}

/* lane-wise minimum of four int8 */
MN_INLINE uint32_t mn_min_s8x4(uint32_t a, uint32_t b)
{
#if MN_DSP
    uint32_t result;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %2, %1" : "=&r"(result) : "r"(a), "r"(b) : "cc");
    return result;
#else
    uint32_t result = 0;
    for (int lane = 0; lane < 32; lane += 8)
    {
        const int8_t x = (int8_t)(uint8_t)(a >> lane);
        const int8_t y = (int8_t)(uint8_t)(b >> lane);
        result |= (uint32_t)(uint8_t)(x < y ? x : y) << lane;
    }
    return result;
#endif
}

#endif
