// SPDX-License-Identifier: Apache-2.0
// Registrations of the kernels as operators of TFLM.
//
// Custom operators run device models (predictor/model/device/device_model.py) on any TFLM; builtin ones take
// the place of TFLM's own on current TFLM, for INT8 activations:
//
//   resolver.AddConv2D(*mn::Register_CONV_2D());
#ifndef MN_OPERATORS_MN_OPERATORS_H_
#define MN_OPERATORS_MN_OPERATORS_H_

#include "mn_operators/tflm_node.h"

// One argument for each pair of types of an operator: its name behind MN_, family, options, kernel.
#define MN_WEIGHTED_OPERATORS(X)                                                             \
  X(CONV_2D_S8, Convolution, ConvOptions, mn_convolve_s8)                                    \
  X(CONV_2D_S8_W4, Convolution, ConvOptions, mn_convolve_s8_w4)                              \
  X(CONV_2D_S4, Convolution, ConvOptions, mn_convolve_s4)                                    \
  X(CONV_2D_S4_W8, Convolution, ConvOptions, mn_convolve_s4_w8)                              \
  X(DEPTHWISE_CONV_2D_S8, Convolution, DepthwiseOptions, mn_depthwise_conv_s8)               \
  X(DEPTHWISE_CONV_2D_S8_W4, Convolution, DepthwiseOptions, mn_depthwise_conv_s8_w4)         \
  X(DEPTHWISE_CONV_2D_S4, Convolution, DepthwiseOptions, mn_depthwise_conv_s4)               \
  X(DEPTHWISE_CONV_2D_S4_W8, Convolution, DepthwiseOptions, mn_depthwise_conv_s4_w8)         \
  X(DEPTHWISE_CONV_2D_S8_W16, Convolution, DepthwiseOptions, mn_depthwise_conv_s8_w16)       \
  X(DEPTHWISE_CONV_2D_S4_W16, Convolution, DepthwiseOptions, mn_depthwise_conv_s4_w16)       \
  X(FULLY_CONNECTED_S8, FullyConnected, FullyConnectedOptions, mn_fully_connected_s8)        \
  X(FULLY_CONNECTED_S8_W4, FullyConnected, FullyConnectedOptions, mn_fully_connected_s8_w4)  \
  X(FULLY_CONNECTED_S4, FullyConnected, FullyConnectedOptions, mn_fully_connected_s4)        \
  X(FULLY_CONNECTED_S4_W8, FullyConnected, FullyConnectedOptions, mn_fully_connected_s4_w8)

#define MN_OTHER_OPERATORS(X)                                             \
  X(ADD_S8, Addition, AddOptions, mn_elementwise_add_s8)                  \
  X(ADD_S4, Addition, AddOptions, mn_elementwise_add_s4)                  \
  X(AVERAGE_POOL_2D_S8, Pooling, PoolOptions, mn_avgpool_s8)              \
  X(AVERAGE_POOL_2D_S4, Pooling, PoolOptions, mn_avgpool_s4)              \
  X(BROADCAST_ADD_S8, Pair, BroadcastAddOptions, mn_broadcast_add_s8)     \
  X(CLAMP_S8, Clamp, ClampOptions, mn_clamp_s8)                           \
  X(CLAMP_S4, Clamp, ClampOptions, mn_clamp_s4)                           \
  X(LOOKUP_S8, Lookup, LookupOptions, mn_lookup_s8)                       \
  X(MAXIMUM_S8, PlainPair, PairOptions, mn_maximum_s8)                    \
  X(MAX_POOL_2D_S8, Pooling, PoolOptions, mn_max_pool_s8)                 \
  X(MAX_POOL_2D_S4, Pooling, PoolOptions, mn_max_pool_s4)                 \
  X(MEAN_S8, Mean, MeanOptions, mn_mean_s8)                               \
  X(MINIMUM_S8, PlainPair, PairOptions, mn_minimum_s8)                    \
  X(MUL_S8, Pair, MulOptions, mn_mul_s8)                                  \
  X(PAD_S8, Padding, PadOptions, mn_pad_s8)                               \
  X(PAD_S4, Padding, PadOptions, mn_pad_s4)                               \
  X(REQUANTIZE_S8_S4, Requantize, RequantizeOptions, mn_requantize_s8_s4) \
  X(REQUANTIZE_S4_S8, Requantize, RequantizeOptions, mn_requantize_s4_s8) \
  X(SOFTMAX_S8, Softmax, SoftmaxOptions, mn_softmax_s8)                   \
  X(SOFTMAX_S4, Softmax, SoftmaxOptions, mn_softmax_s4)                   \
  X(SUB_S8, Pair, BroadcastAddOptions, mn_sub_s8)

#define MN_STREAM_OPERATORS(X)      \
  X(STREAM_S8, mn_stream_s8)        \
  X(STREAM_S8_W4, mn_stream_s8_w4)  \
  X(STREAM_S4, mn_stream_s4)        \
  X(STREAM_S4_W8, mn_stream_s4_w8)

namespace mn {

#define MN_DECLARE(name, ...) const Registration* Register_MN_##name();
MN_WEIGHTED_OPERATORS(MN_DECLARE)
MN_OTHER_OPERATORS(MN_DECLARE)
MN_STREAM_OPERATORS(MN_DECLARE)
#undef MN_DECLARE

// Current TFLM only.
const Registration* Register_ADD();
const Registration* Register_AVERAGE_POOL_2D();
const Registration* Register_CONV_2D();
const Registration* Register_DEPTHWISE_CONV_2D();
const Registration* Register_FULLY_CONNECTED();
const Registration* Register_HARD_SWISH();
const Registration* Register_LEAKY_RELU();
const Registration* Register_LOGISTIC();
const Registration* Register_MAXIMUM();
const Registration* Register_MAX_POOL_2D();
const Registration* Register_MEAN();
const Registration* Register_MINIMUM();
const Registration* Register_MUL();
const Registration* Register_PAD();
const Registration* Register_PADV2();
const Registration* Register_RELU();
const Registration* Register_RELU6();
const Registration* Register_SOFTMAX();
const Registration* Register_SUB();
const Registration* Register_TANH();

}  // namespace mn

#endif  // MN_OPERATORS_MN_OPERATORS_H_
