/* SPDX-License-Identifier: Apache-2.0 */
/* 2D convolution, one function for each pair of types. See mn_convolutions.h. */
#include "mn_convolution.h"
#include "mn_layer_functions.h"
#include "mn_nnfunctions.h"

#define MN_CONVOLVE(types, input_type, weight_type)                                                \
    MN_LAYER_FUNCTIONS(mn_convolve_##types, mn_convolution, mn_conv_params, mn_kind_##types,       \
                       input_type, weight_type)

MN_CONVOLVE(s8, int8_t, int8_t)
MN_CONVOLVE(s8_w4, int8_t, uint8_t)
MN_CONVOLVE(s4, uint8_t, uint8_t)
MN_CONVOLVE(s4_w8, uint8_t, int8_t)
