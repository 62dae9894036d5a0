/* SPDX-License-Identifier: Apache-2.0 */
#include "mn_softmax.h"

#include "mn_arguments.h"
#include "mn_requantize.h"

#define MN_SUM_INTEGER_BITS 12
#define MN_DIFFERENCE_FRACTION_BITS 26

/* value * 2^exponent, saturating; exponent 1 .. 5 */
static int32_t mn_shift_left_saturating(int32_t value, int32_t exponent)
{
    const int32_t limit = INT32_MAX >> exponent;
    return value > limit        ? INT32_MAX
           : value < -limit - 1 ? INT32_MIN
                                : (int32_t)((uint32_t)value << exponent);
}

/* exp on [-1/4, 0), Q0.31: a fourth-order Taylor polynomial around -1/8 */
static int32_t mn_exp_last_quarter(int32_t value)
{
    const int32_t exp_minus_eighth = 1895147668;
    const int32_t third = 715827883;
    const int32_t x = value + (1 << 28);
    const int32_t x2 = mn_doubling_high_mul(x, x);
    const int32_t x3 = mn_doubling_high_mul(x2, x);
    const int32_t x4 = mn_doubling_high_mul(x2, x2);
    const int32_t quarter_x4 = mn_divide_by_power_of_two(x4, 2);
    const int32_t upper = mn_doubling_high_mul(quarter_x4 + x3, third) + x2;
    const int32_t series = x + mn_divide_by_power_of_two(upper, 1);
    return exp_minus_eighth + mn_doubling_high_mul(exp_minus_eighth, series);
}

/* exp of a value <= 0, Q5.26 to Q0.31 */
static int32_t mn_exp_negative(int32_t value)
{
    /* exp(-2^k), k = -2 .. 4, Q0.31 */
    static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308,
                                      39332535,   720401,     242};
    const int32_t quarter = 1 << (MN_DIFFERENCE_FRACTION_BITS - 2);
    if (value == 0)
    {
        return INT32_MAX;
    }
    const int32_t last_quarter = (value & (quarter - 1)) - quarter;
    const int32_t remainder = (int32_t)((uint32_t)last_quarter - (uint32_t)value);
    int32_t result = mn_exp_last_quarter(mn_shift_left_saturating(last_quarter, 5));
    for (int32_t i = 0; i < (int32_t)(sizeof(factors) / sizeof(factors[0])); ++i)
    {
        if (remainder & (int32_t)((uint32_t)quarter << i))
        {
            result = mn_doubling_high_mul(result, factors[i]);
        }
    }
    return result;
}

int32_t mn_softmax_exp(const mn_softmax_scaling *scaling, int32_t difference)
{
    const int32_t shifted = (int32_t)((uint32_t)difference << scaling->left_shift);
    return mn_exp_negative(mn_doubling_high_mul(shifted, scaling->multiplier));
}

int32_t mn_softmax_add(int32_t sum, int32_t exponential)
{
    return mn_add_wrapping(sum, mn_divide_by_power_of_two(exponential, MN_SUM_INTEGER_BITS));
}

/* 1 / (1 + value) for value in [0, 1), Q0.31: three steps of Newton and Raphson in Q2.29 */
static int32_t mn_one_over_one_plus(int32_t value)
{
    const int32_t forty_eight_seventeenths = 1515870810;
    const int32_t minus_thirty_two_seventeenths = -1010580540;
    const int32_t half_denominator = (int32_t)(((int64_t)value + INT32_MAX + 1) / 2);
    int32_t x = forty_eight_seventeenths +
                mn_doubling_high_mul(half_denominator, minus_thirty_two_seventeenths);
    for (int32_t step = 0; step < 3; ++step)
    {
        const int32_t error = (1 << 29) - mn_doubling_high_mul(half_denominator, x);
        x += mn_shift_left_saturating(mn_doubling_high_mul(x, error), 2);
    }
    return mn_shift_left_saturating(x, 1);
}

mn_softmax_divisor mn_softmax_divide(int32_t sum)
{
    const int32_t headroom = __builtin_clz((uint32_t)sum);
    const int32_t fraction = (int32_t)(((uint32_t)sum << headroom) - (1u << 31));
    const mn_softmax_divisor divisor = {mn_one_over_one_plus(fraction),
                                        MN_SUM_INTEGER_BITS - headroom + 23};
    return divisor;
}

int32_t mn_softmax_output(const mn_softmax_divisor *divisor, int32_t exponential)
{
    const int32_t product = mn_doubling_high_mul(divisor->scale, exponential);
    /* Beyond 31, which TFLite refuses, less than half a step is left. */
    const int32_t steps =
        divisor->exponent > 31 ? 0 : mn_divide_by_power_of_two(product, divisor->exponent);
    const int32_t value = steps - 128;
    return mn_clamp(value, INT8_MIN, INT8_MAX);
}

/* A row's sum stays below 2^31 in Q12.19 for fewer than 2^12 elements; TFLite checks no more. */
int32_t mn_is_softmax(const void *input, int32_t rows, int32_t row_size,
                      const mn_softmax_scaling *scaling, const void *output)
{
    return input != NULL && output != NULL && rows >= 1 && row_size >= 1 && row_size < 4096 &&
           (int64_t)rows * row_size <= INT32_MAX && scaling->multiplier >= 0 &&
           scaling->left_shift >= 0 && scaling->left_shift <= 31 && scaling->diff_min <= 0;
}
