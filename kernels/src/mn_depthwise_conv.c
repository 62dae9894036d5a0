/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution, one function for each pair of types. See mn_convolutions.h. */
#include "mn_depthwise.h"
#include "mn_layer_functions.h"
#include "mn_nnfunctions.h"

#define MN_DEPTHWISE_CONV(types, bits, w_bits, input_type, weight_type, prepare, unpack_input,     \
                          finishing)                                                               \
    static const mn_depthwise_kind mn_kind_##types = {                                             \
        .input_bits = bits,                                                                        \
        .weight_bits = w_bits,                                                                     \
        .prepare_quad = prepare,                                                                   \
        .unpack = unpack_input,                                                                    \
        .finish = finishing,                                                                       \
    };                                                                                             \
                                                                                                   \
    MN_LAYER_FUNCTIONS(mn_depthwise_conv_##types, mn_depthwise, mn_dw_conv_params,                 \
                       mn_kind_##types, input_type, weight_type)

MN_DEPTHWISE_CONV(s8, 8, 8, int8_t, int8_t, mn_prepare_quad_w8, NULL, mn_finish_s8)
MN_DEPTHWISE_CONV(s8_w4, 8, 4, int8_t, uint8_t, mn_prepare_quad_w4, NULL, mn_finish_s8)
MN_DEPTHWISE_CONV(s8_w16, 8, 16, int8_t, int32_t, NULL, NULL, mn_finish_s8)
MN_DEPTHWISE_CONV(s4, 4, 4, uint8_t, uint8_t, mn_prepare_quad_w4, mn_unpack_s4, mn_finish_s4)
MN_DEPTHWISE_CONV(s4_w8, 4, 8, uint8_t, int8_t, mn_prepare_quad_w8, mn_unpack_s4, mn_finish_s4)
MN_DEPTHWISE_CONV(s4_w16, 4, 16, uint8_t, int32_t, NULL, mn_unpack_s4, mn_finish_s4)
