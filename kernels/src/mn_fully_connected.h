/* The driver of fully connected: batch by batch, the inputs copied into a column first. */
#ifndef MN_FULLY_CONNECTED_H
#define MN_FULLY_CONNECTED_H

#include "mn_kind.h"

typedef struct
{
    const mn_conv_kind *kind;
    const mn_fc_params *params;
    const mn_quant_params *quant_params;
    const mn_dims *input_dims;
    const void *input;
    const mn_dims *filter_dims;
    const void *filter;
    const int32_t *bias;
    const mn_dims *output_dims;
    void *output;
} mn_fully_connected;

int32_t mn_fully_connected_buffer_size(const mn_conv_kind *kind, const mn_dims *input_dims,
                                       const mn_dims *filter_dims, const mn_dims *output_dims);

mn_status mn_fully_connected_run(const mn_context *ctx, const mn_fully_connected *layer);

#endif
