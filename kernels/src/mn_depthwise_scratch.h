/* SPDX-License-Identifier: Apache-2.0 */
/* What depthwise convolution keeps in its scratch buffer, and which layers it takes. */
#ifndef MN_DEPTHWISE_SCRATCH_H
#define MN_DEPTHWISE_SCRATCH_H

#include "mn_depthwise.h"

#define MN_LANES 4

/* Output positions for which int8 weights are not widened. */
#define MN_FEW_POSITIONS 2

/* Where the parts of the scratch buffer start, in bytes; all multiples of 4. */
typedef struct
{
    int is_few;      /* weights are multiplied as they are */
    int32_t bias;    /* per quad lane: bias with the input offset folded in; before it the weights,
                        neither of which is in scratch if the filter is prepared or there are few
                        positions */
    int32_t taps;    /* tap distances of the current row's inner positions */
    int32_t edge;    /* tap distances of one position at the border */
    int32_t zeros;   /* one pixel of zero points */
    int32_t rows;    /* int4 inputs: the unpacked input rows in use, row y in slot y modulo slots */
    int32_t outputs; /* int4 outputs: two positions before packing */
    int32_t total;   /* MN_ARG_ERROR when it does not fit int32 */
} mn_depthwise_scratch;

/* Quads that hold so many channels. */
int32_t mn_quads_of(int32_t channels);

/* Input rows that one output row reaches. */
int32_t mn_slots_of(const mn_dw_conv_params *params, const mn_dims *input_dims,
                    const mn_dims *filter_dims);

mn_depthwise_scratch mn_depthwise_scratch_of(const mn_depthwise_kind *kind,
                                             const mn_dw_conv_params *params,
                                             const mn_dims *input_dims,
                                             const mn_dims *filter_dims,
                                             const mn_dims *output_dims);

int mn_is_depthwise_geometry(const mn_dw_conv_params *params, const mn_dims *input_dims,
                             const mn_dims *filter_dims, const mn_dims *output_dims);

#endif
