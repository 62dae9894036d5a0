/*
 * The driver of depthwise convolution: output positions ascending, all channels of a position in
 * quads of four. Once per layer the weights are widened to int16 in scratch, quad by quad and tap by
 * tap, and the input offset is folded into the bias, so that int4 weights cost what int8 weights do.
 */
#ifndef MN_DEPTHWISE_H
#define MN_DEPTHWISE_H

#include "mn_packing.h"
#include "mn_types.h"

/* Weights of `lanes` (1 .. 4) neighbouring channels from element `first` on, as pairs (0, 2), (1, 3). */
typedef void mn_quad_weights(uint32_t pairs[2], const void *filter, int32_t first, int32_t lanes);

mn_quad_weights mn_quad_weights_w8;
mn_quad_weights mn_quad_weights_w4;

typedef struct
{
    int32_t input_bits;
    mn_quad_weights *quad_weights;
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
 * The state of a run of quads at one position; the assembler loads it in this order. taps[t] is the
 * distance in bytes of tap t from `input`.
 */
typedef struct
{
    const int32_t *taps;       /*  0 */
    const uint32_t *weights;   /*  4 */
    const int8_t *input;       /*  8: of the first channel */
    const int32_t *bias;       /* 12 */
    const int32_t *multiplier; /* 16 */
    const int32_t *shift;      /* 20 */
    int32_t offset;            /* 24 */
    int8_t *output;            /* 28 */
    const int8_t *output_end;  /* 32 */
    const int32_t *blocks_end; /* 36: taps in whole eights end here */
    int32_t singles;           /* 40: the taps after them */
    const int8_t *zeros;       /* the pixel of zero points, at the channel of input */
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

/* Quads with one input channel per output channel and short shifts (mn_requantize.h). */
void mn_run_quads(mn_quads *quads);

#endif
