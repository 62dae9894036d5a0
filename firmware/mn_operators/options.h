// SPDX-License-Identifier: Apache-2.0
// What an operator's kernel takes, as one block: `custom_options` of a device model in flash, or the
// same block in the arena where Prepare makes it. predictor/model/device/options.py writes them;
// docs/device_model.md describes the format.
#ifndef MN_OPERATORS_OPTIONS_H_
#define MN_OPERATORS_OPTIONS_H_

#include <cstdint>

#include "mn_types.h"

namespace mn {

constexpr int32_t kOptionsVersion = 1;

enum TablePlace : int32_t {
  kTablesInFlash = 0,  // multipliers, then shifts, int32 each
  kTablesInArena = 1,  // multipliers, then shifts of one byte each; Init unpacks them
};

// Operators with weights. Requantisation tables follow the options.
struct LayerOptions {
  int32_t version;
  int32_t table_place;
  int32_t table_entries;
  mn_dims input;
  mn_dims filter;
  mn_dims output;
};

struct ConvOptions {
  LayerOptions layer;
  mn_conv_params params;
};

struct DepthwiseOptions {
  LayerOptions layer;
  mn_dw_conv_params params;
};

struct FullyConnectedOptions {
  LayerOptions layer;
  mn_fc_params params;
};

struct PoolOptions {
  int32_t version;
  mn_dims input;
  mn_dims filter;
  mn_dims output;
  mn_pool_params params;
};

struct AddOptions {
  int32_t version;
  int32_t count;
  mn_add_params params;
};

struct SoftmaxOptions {
  int32_t version;
  int32_t rows;
  int32_t row_size;
  int32_t multiplier;
  int32_t left_shift;
  int32_t diff_min;
};

struct PadOptions {
  int32_t version;
  int32_t value;
  mn_dims input;
  mn_dims before;
  mn_dims after;
};

struct ClampOptions {
  int32_t version;
  int32_t count;
  mn_activation activation;
};

struct RequantizeOptions {
  int32_t version;
  int32_t count;
  mn_requantize_params params;
};

}  // namespace mn

#endif  // MN_OPERATORS_OPTIONS_H_
