/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver of convolution: blocks of four output positions, all channels of a
 * block before the next one, the inputs of a block copied into columns before it is written.
 */
#ifndef MN_CONVOLUTION_H
#define MN_CONVOLUTION_H

#include "mn_kind.h"
#include "mn_types.h"

typedef struct
{
    const mn_conv_kind *kind;
    const mn_conv_params *params;
    const mn_per_channel_quant_params *quant_params;
    const mn_dims *input_dims;
    const void *input;
    const mn_dims *filter_dims;
    const void *filter;
    const int32_t *bias;
    const mn_dims *output_dims;
    void *output;
} mn_convolution;

/* Scratch bytes of a convolution, or MN_ARG_ERROR. */
int32_t mn_convolution_buffer_size(const mn_conv_kind *kind, const mn_conv_params *params,
                                   const mn_dims *input_dims, const mn_dims *filter_dims,
                                   const mn_dims *output_dims);

/* Checks everything, then runs. */
mn_status mn_convolution_run(const mn_context *ctx, const mn_convolution *layer);

#endif
