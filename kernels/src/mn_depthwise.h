/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver of depthwise convolution: output positions ascending, all channels of a position in
 * quads of four. Once per layer the weights are widened to int16 in scratch, quad by quad and tap
 * by tap, and the input offset is folded into the bias, so that int4 weights cost what int8
 * weights do; or a prepared filter holds all that.
 */
#ifndef MN_DEPTHWISE_H
#define MN_DEPTHWISE_H

#include <stddef.h>

#include "mn_packing.h"
#include "mn_types.h"

/*
 * Widens the weights of `lanes` (1 .. 4) neighbouring channels, `taps` times, `channels` elements
 * apart from element `first` on, to pairs (0, 2), (1, 3), and adds weight * offset to bias[lane].
 * Returns where the next quad's weights go.
 */
typedef uint32_t *mn_prepare_quad(uint32_t *pairs, int32_t bias[4], const void *filter,
                                  int32_t first, int32_t channels, int32_t taps, int32_t lanes,
                                  int32_t offset);

mn_prepare_quad mn_prepare_quad_w8;
mn_prepare_quad mn_prepare_quad_w4;

typedef struct
{
    int32_t input_bits;
    int32_t weight_bits;           /* 16: the filter is prepared, the bias in it */
    mn_prepare_quad *prepare_quad; /* null where the filter is prepared */
    mn_copy *unpack; /* input to rows of int8; null: the input is int8 */
    mn_finish *finish;
} mn_depthwise_kind;

typedef struct
{
    const mn_depthwise_kind *kind;
    const mn_dw_conv_params *params;
    const mn_per_channel_quant_params *quant_params;
    const mn_dims *input_dims;
    const void *input;
    const mn_dims *filter_dims;
    const void *filter;
    const int32_t *bias;
    const mn_dims *output_dims;
    void *output;
} mn_depthwise;

int32_t mn_depthwise_buffer_size(const mn_depthwise_kind *kind, const mn_dw_conv_params *params,
                                 const mn_dims *input_dims, const mn_dims *filter_dims,
                                 const mn_dims *output_dims);

mn_status mn_depthwise_run(const mn_context *ctx, const mn_depthwise *depthwise);

/*
 * All quads of one position; the assembler copies all but the last word to the stack, in this
 * order. taps[t] is the distance in bytes of tap t from `input`.
 */
typedef struct
{
    /* The end of a quad. */
    const int32_t *multiplier;
    const int32_t *shift;
    int32_t offset;
    int8_t *output;
    /* The rest. */
    const int32_t *taps;
    const int32_t *blocks_end; /* taps in whole eights end here */
    const int8_t *input;       /* of the first channel */
    const int32_t *bias;
    const int8_t *output_end; /* of the channels in whole quads */
    int32_t rest;             /* twice the taps after the eights, less 1 where lanes are plain */
    int32_t back;             /* channels that a last, overlapping quad computes again, or 0 */
    int32_t left_start[2];    /* mn_set_left_start */
    const uint32_t *weights;
    const int8_t *zeros; /* the pixel of zero points */
} mn_quads;

#if MN_DSP
/* A distance may lead anywhere: the assembler adds it to the address. */
MN_INLINE const int8_t *mn_tap_pixel(const int8_t *input, int32_t tap, const int8_t *zeros)
{
    (void)zeros;
    return (const int8_t *)((uintptr_t)input + (uintptr_t)tap);
}
#else
#define MN_ZERO_TAP INT32_MIN

MN_INLINE const int8_t *mn_tap_pixel(const int8_t *input, int32_t tap, const int8_t *zeros)
{
    return tap == MN_ZERO_TAP ? zeros : input + tap;
}
#endif

/*
 * Quads with one input channel per output channel. Their lanes are plain where all shifts are
 * -1 .. -31, and no sum reaches 2^30 where one of them is below -20; others cost some instructions
 * more.
 */
void mn_run_quads(const mn_quads *quads);

/*
 * Quads whose lanes are no neighbours in the input, `multiplier` output channels for each input channel,
 * or fewer than four: all `channels`.
 */
void mn_run_lanes(const mn_quads *quads, int32_t multiplier, int32_t channels);

/* Quads as mn_run_quads takes them, from the layer's int8 weights and biases as they are. */
void mn_run_few(const mn_quads *quads, const mn_depthwise *layer, int32_t offset);

#endif
