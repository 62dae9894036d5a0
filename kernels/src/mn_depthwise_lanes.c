/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise channels at one position, up to four lanes at a time, where they read other input channels
 * than four neighbours: per tap 1 load of its distance, 2 of weights, 1 for each input and 1 SMLAxy for
 * each lane.
 */
#include "mn_depthwise.h"
#include "mn_requantize.h"

#define MN_LANES 4

/* The input channels of a quad's lanes, those behind the first as distances from it. */
typedef struct
{
    int32_t first;
    int32_t second;
    int32_t third;
    int32_t fourth;
} mn_sources;

/* Adds the taps of `count` lanes to sums; all of them read the first one's input where `is_one`. */
MN_INLINE void mn_add_taps(const mn_quads *quads, const int32_t *end, const uint32_t *weights,
                           const mn_sources *sources, int32_t *sums, const int32_t count,
                           const int is_one)
{
    const int8_t *const zeros = quads->zeros + sources->first;
    const int8_t *const input = quads->input + sources->first;
    const int32_t second = sources->second;
    const int32_t third = sources->third;
    const int32_t fourth = sources->fourth;
    int32_t sum0 = sums[0];
    int32_t sum1 = count > 1 ? sums[1] : 0;
    int32_t sum2 = count > 2 ? sums[2] : 0;
    int32_t sum3 = count > 3 ? sums[3] : 0;
    for (const int32_t *tap = quads->taps; tap != end; ++tap, weights += 2)
    {
        const int8_t *const pixel = mn_tap_pixel(input, *tap, zeros);
        const uint32_t value = (uint32_t)*pixel;
        const uint32_t even = weights[0];
        sum0 = mn_smlabb(even, value, sum0);
        if (count > 1)
        {
            const uint32_t odd = weights[1];
            sum1 = mn_smlabb(odd, is_one ? value : (uint32_t)pixel[second], sum1);
            if (count > 2)
            {
                sum2 = mn_smlatb(even, is_one ? value : (uint32_t)pixel[third], sum2);
            }
            if (count > 3)
            {
                sum3 = mn_smlatb(odd, is_one ? value : (uint32_t)pixel[fourth], sum3);
            }
        }
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

#if MN_DSP
/* Four lanes that read one input, two taps at a time. */
static void mn_add_one_input(const mn_quads *quads, const int32_t *end, const uint32_t *weights,
                             const mn_sources *sources, int32_t sums[4])
{
    const int8_t *const input = quads->input + sources->first;
    const int32_t *taps = quads->taps;
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    for (const int32_t *const whole = taps + ((end - taps) & ~1); taps != whole;)
    {
        __asm__ volatile("ldmia %0!, {r8, r9}\n\t"
                         "ldmia %1!, {r10, r11, r12, lr}\n\t"
                         "ldrsb r8, [%6, r8]\n\t"
                         "ldrsb r9, [%6, r9]\n\t"
                         "smlabb %2, r8, r10, %2\n\t"
                         "smlabt %4, r8, r10, %4\n\t"
                         "smlabb %3, r8, r11, %3\n\t"
                         "smlabt %5, r8, r11, %5\n\t"
                         "smlabb %2, r9, r12, %2\n\t"
                         "smlabt %4, r9, r12, %4\n\t"
                         "smlabb %3, r9, lr, %3\n\t"
                         "smlabt %5, r9, lr, %5\n\t"
                         : "+r"(taps), "+r"(weights), "+r"(sum0), "+r"(sum1), "+r"(sum2), "+r"(sum3)
                         : "r"(input)
                         : "r8", "r9", "r10", "r11", "r12", "lr", "memory");
    }
    if (taps != end)
    {
        const uint32_t value = (uint32_t)input[*taps];
        sum0 = mn_smlabb(weights[0], value, sum0);
        sum1 = mn_smlabb(weights[1], value, sum1);
        sum2 = mn_smlatb(weights[0], value, sum2);
        sum3 = mn_smlatb(weights[1], value, sum3);
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}
#else
static void mn_add_one_input(const mn_quads *quads, const int32_t *end, const uint32_t *weights,
                             const mn_sources *sources, int32_t sums[4])
{
    mn_add_taps(quads, end, weights, sources, sums, 4, 1);
}
#endif

static void mn_add_lanes(const mn_quads *quads, const int32_t *end, const uint32_t *weights,
                         const mn_sources *sources, int32_t sums[4], int32_t count)
{
    if (count >= MN_LANES)
    {
        if (sources->fourth == 0)
        {
            mn_add_one_input(quads, end, weights, sources, sums);
        }
        else
        {
            mn_add_taps(quads, end, weights, sources, sums, 4, 0);
        }
    }
    else if (count == 3)
    {
        mn_add_taps(quads, end, weights, sources, sums, 3, 0);
    }
    else if (count == 2)
    {
        mn_add_taps(quads, end, weights, sources, sums, 2, 0);
    }
    else
    {
        mn_add_taps(quads, end, weights, sources, sums, 1, 1);
    }
}

MN_INLINE void mn_store_lane(const mn_quads *quads, int32_t channel, int32_t sum)
{
    quads->output[channel] = (int8_t)mn_requantize_s8_inline(
        sum, quads->multiplier[channel], quads->shift[channel], quads->offset);
}

void mn_run_lanes(const mn_quads *quads, int32_t multiplier, int32_t channels)
{
    const int32_t taps = (int32_t)(quads->blocks_end - quads->taps) + ((quads->rest + 1) >> 1);
    const int32_t *const end = quads->taps + taps;
    const uint32_t *weights = quads->weights;
    const int32_t *bias = quads->bias;
    for (int32_t channel = 0; channel < channels; channel += MN_LANES, bias += MN_LANES)
    {
        int32_t sums[MN_LANES] = {bias[0], bias[1], bias[2], bias[3]};
        mn_sources sources;
        sources.first = channel / multiplier;
        sources.second = (channel + 1) / multiplier - sources.first;
        sources.third = (channel + 2) / multiplier - sources.first;
        sources.fourth = (channel + 3) / multiplier - sources.first;
        mn_add_lanes(quads, end, weights, &sources, sums, channels - channel);
        for (int32_t lane = 0; lane < MN_LANES && channel + lane < channels; ++lane)
        {
            mn_store_lane(quads, channel + lane, sums[lane]);
        }
        weights += 2 * taps;
    }
}
