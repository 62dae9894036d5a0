/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_reference.h"

/*
 * Softmax in floor divisions of 64-bit integers, without any of the kernels' code: Q notation names
 * integer and fractional bits; every product is rounded at its last bit, halves upwards.
 */
static int64_t mn_floor_shift(int64_t value, int32_t bits)
{
    const int64_t divisor = (int64_t)1 << bits;
    const int64_t quotient = value / divisor;
    return quotient - (value % divisor < 0);
}

static int64_t mn_product(int64_t a, int64_t b)
{
    return mn_floor_shift(a * b + ((int64_t)1 << 30), 31);
}

/* Half away from zero. */
static int64_t mn_rounded_shift(int64_t value, int32_t bits)
{
    const int64_t half = bits ? (int64_t)1 << (bits - 1) : 0;
    return value < 0 ? -mn_floor_shift(-value + half, bits) : mn_floor_shift(value + half, bits);
}

static int64_t mn_saturate(int64_t value)
{
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : value;
}

/* exp(value) of a Q5.26 value <= 0, Q0.31 */
static int64_t mn_exp(int64_t value)
{
    static const int64_t powers[7] = {1672461947, 1302514674, 790015084, 290630308,
                                      39332535,   720401,     242};
    const int64_t quarter = (int64_t)1 << 24;
    if (value == 0)
    {
        return INT32_MAX;
    }
    /* value = last - remainder, last in [-1/4, 0), remainder a multiple of 1/4 */
    int64_t last = value % quarter;
    last = last == 0 ? -quarter : last;
    const int64_t quarters = (last - value) / quarter;
    const int64_t x = last * 32 + ((int64_t)1 << 28);
    const int64_t x2 = mn_product(x, x);
    const int64_t x3 = mn_product(x2, x);
    const int64_t x4 = mn_product(x2, x2);
    const int64_t upper = mn_product(mn_rounded_shift(x4, 2) + x3, 715827883) + x2;
    int64_t result = 1895147668 + mn_product(1895147668, x + mn_rounded_shift(upper, 1));
    for (int32_t i = 0; i < 7; ++i)
    {
        result = quarters >> i & 1 ? mn_product(result, powers[i]) : result;
    }
    return result;
}

/* 1 / (1 + value), value Q0.31 in [0, 1) */
static int64_t mn_reciprocal(int64_t value)
{
    const int64_t half = (value + INT32_MAX + 1) / 2;
    int64_t x = 1515870810 + mn_product(half, -1010580540);
    for (int32_t step = 0; step < 3; ++step)
    {
        const int64_t error = ((int64_t)1 << 29) - mn_product(half, x);
        x += mn_saturate(mn_product(x, error) * 4);
    }
    return mn_saturate(x * 2);
}

static int64_t mn_term(int64_t difference, int32_t multiplier, int32_t shift)
{
    return mn_exp(mn_product(difference * ((int64_t)1 << shift), multiplier));
}

void mn_reference_softmax(int32_t input_bits, const void *input, int32_t rows, int32_t row_size,
                          int32_t multiplier, int32_t shift, int32_t diff_min, int8_t *output)
{
    for (int32_t first = 0; first < rows * row_size; first += row_size)
    {
        int32_t maximum = INT32_MIN;
        int64_t sum = 0;
        for (int32_t i = 0; i < row_size; ++i)
        {
            const int32_t value = mn_reference_get(input_bits, input, first + i);
            maximum = value > maximum ? value : maximum;
        }
        for (int32_t i = 0; i < row_size; ++i)
        {
            const int32_t difference = mn_reference_get(input_bits, input, first + i) - maximum;
            sum += difference >= diff_min
                       ? mn_rounded_shift(mn_term(difference, multiplier, shift), 12)
                       : 0;
        }
        int32_t headroom = 0;
        while (sum << headroom < (int64_t)1 << 31)
        {
            ++headroom;
        }
        const int64_t scale = mn_reciprocal((sum << headroom) - ((int64_t)1 << 31));
        for (int32_t i = 0; i < row_size; ++i)
        {
            const int32_t difference = mn_reference_get(input_bits, input, first + i) - maximum;
            int64_t value = -128;
            if (difference >= diff_min)
            {
                const int64_t product = mn_product(scale, mn_term(difference, multiplier, shift));
                value += mn_rounded_shift(product, 35 - headroom);
            }
            output[first + i] = (int8_t)(value > 127 ? 127 : value);
        }
    }
}
