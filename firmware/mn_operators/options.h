// SPDX-License-Identifier: Apache-2.0
// The options of operators under the names that C++ code has for them; kernels/include/mn_options.h
// says what they hold.
#ifndef MN_OPERATORS_OPTIONS_H_
#define MN_OPERATORS_OPTIONS_H_

#include "mn_options.h"

namespace mn {

constexpr int32_t kOptionsVersion = MN_OPTIONS_VERSION;
constexpr int32_t kTablesInFlash = MN_TABLES_IN_FLASH;
constexpr int32_t kTablesInArena = MN_TABLES_IN_ARENA;

using LayerOptions = mn_layer_options;
using ConvOptions = mn_conv_options;
using DepthwiseOptions = mn_depthwise_options;
using FullyConnectedOptions = mn_fc_options;
using PoolOptions = mn_pool_options;
using AddOptions = mn_add_options;
using SoftmaxOptions = mn_softmax_options;
using PadOptions = mn_pad_options;
using ClampOptions = mn_clamp_options;
using RequantizeOptions = mn_requantize_options;
using LookupOptions = mn_lookup_options;
using MeanOptions = mn_mean_options;
using PairOptions = mn_pair_options;
using MulOptions = mn_mul_options;
using BroadcastAddOptions = mn_broadcast_add_options;

}  // namespace mn

#endif  // MN_OPERATORS_OPTIONS_H_
