/* SPDX-License-Identifier: Apache-2.0 */
/* Mean over dimensions that lie side by side, int8. See mn_nnfunctions.h. */
#include "mn_arguments.h"
#include "mn_nnfunctions.h"
#include "mn_requantize.h"
#include "mn_sums.h"

#define MN_MOST_REDUCED (1 << 22)

/* The sums of a quad of values that comes `taps` times, every `stride` bytes. */
static void mn_sum_quads(const int8_t *value, int32_t taps, int32_t stride, int32_t sums[4])
{
    sums[0] = 0;
    sums[1] = 0;
    sums[2] = 0;
    sums[3] = 0;
    for (; taps > MN_MOST_TAPS; taps -= MN_MOST_TAPS)
    {
        mn_add_quads(value, MN_MOST_TAPS, stride, sums);
        value += MN_MOST_TAPS * stride;
    }
    mn_add_quads(value, taps, stride, sums);
}

/* The sum of values that lie `stride` bytes apart. */
static int32_t mn_sum_singles(const int8_t *value, int32_t taps, int32_t stride)
{
    int32_t sum = 0;
    for (const int8_t *const end = value + taps * stride; value != end; value += stride)
    {
        sum += *value;
    }
    return sum;
}

/* The sum of values that lie one after the other. */
static int32_t mn_sum_row(const int8_t *value, int32_t count)
{
    int32_t sums[4];
    mn_sum_quads(value, count >> 2, 4, sums);
    return sums[0] + sums[1] + sums[2] + sums[3] +
           mn_sum_singles(value + (count & ~3), count & 3, 1);
}

static int8_t mn_mean_of(const mn_requantize_params *params, int32_t sum, int32_t offset)
{
    return (int8_t)mn_requantize_s8_inline(sum + offset, params->multiplier, params->shift,
                                           params->output_offset);
}

static int mn_is_mean(const mn_requantize_params *params, int32_t outer, int32_t reduced,
                      int32_t inner, const void *input, const void *output)
{
    const mn_dims dims = {outer, reduced, inner, 1};
    return params != NULL && input != NULL && output != NULL && mn_is_dims(&dims) &&
           reduced <= MN_MOST_REDUCED && mn_is_input_offset(params->input_offset, 8) &&
           mn_is_value(params->output_offset, 8) && params->multiplier >= 0 &&
           params->shift >= -31 && params->shift <= 30;
}

mn_status mn_mean_s8(const mn_requantize_params *params, int32_t outer, int32_t reduced,
                     int32_t inner, const int8_t *input, int8_t *output)
{
    if (!mn_is_mean(params, outer, reduced, inner, input, output))
    {
        return MN_ARG_ERROR;
    }
    const int32_t offset = reduced * params->input_offset;
    for (; outer > 0; --outer, input += reduced * inner)
    {
        if (inner == 1)
        {
            *output++ = mn_mean_of(params, mn_sum_row(input, reduced), offset);
            continue;
        }
        int32_t channel = 0;
        for (; inner - channel >= 4; channel += 4)
        {
            int32_t sums[4];
            mn_sum_quads(input + channel, reduced, inner, sums);
            for (int32_t i = 0; i < 4; ++i)
            {
                *output++ = mn_mean_of(params, sums[i], offset);
            }
        }
        for (; channel < inner; ++channel)
        {
            *output++ = mn_mean_of(params, mn_sum_singles(input + channel, reduced, inner), offset);
        }
    }
    return MN_SUCCESS;
}
