/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quads of depthwise channels straight from int8 weights: what a layer of few positions takes, for which
 * widening all weights would not pay.
 */
#include "mn_columns.h"
#include "mn_depthwise.h"
#include "mn_requantize.h"

/* Four neighbouring channels from `channel` on. */
static void mn_run_few_quad(const mn_quads *quads, const int8_t *weights, const int32_t *end,
                            int32_t channels, uint32_t offset, int32_t sums[4])
{
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    for (const int32_t *tap = quads->taps; tap != end; ++tap, weights += channels)
    {
        const uint32_t values =
            mn_read_u32(mn_tap_pixel(quads->input, *tap, quads->zeros));
        const uint32_t word = mn_read_u32(weights);
        const uint32_t even = mn_sxtab16(offset, values);
        const uint32_t odd = mn_sxtab16_ror8(offset, values);
        const uint32_t weights02 = mn_sxtb16(word);
        const uint32_t weights13 = mn_sxtb16_ror8(word);
        sum0 = mn_smlabb(even, weights02, sum0);
        sum1 = mn_smlabb(odd, weights13, sum1);
        sum2 = mn_smlatt(even, weights02, sum2);
        sum3 = mn_smlatt(odd, weights13, sum3);
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

void mn_run_few(const mn_quads *quads, const mn_depthwise *layer, int32_t offset)
{
    const int32_t channels = layer->output_dims->c;
    const int32_t last = channels - 4;
    const int32_t *const end = quads->taps + layer->filter_dims->h * layer->filter_dims->w;
    const int8_t *const weights = layer->filter;
    mn_quads quad = *quads;
    for (int32_t channel = 0;; channel = channel + 4 < last ? channel + 4 : last)
    {
        int32_t sums[4] = {0, 0, 0, 0};
        if (layer->bias != NULL)
        {
            memcpy(sums, layer->bias + channel, sizeof(sums));
        }
        quad.input = quads->input + channel;
        quad.zeros = quads->zeros + channel;
        mn_run_few_quad(&quad, weights + channel, end, channels, mn_offset_pair(offset), sums);
        for (int32_t lane = channel; lane < channel + 4; ++lane)
        {
            quads->output[lane] = (int8_t)mn_requantize_s8_inline(
                sums[lane - channel], quads->multiplier[lane], quads->shift[lane], quads->offset);
        }
        if (channel == last)
        {
            return;
        }
    }
}
