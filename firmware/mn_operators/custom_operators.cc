// SPDX-License-Identifier: Apache-2.0
// The custom operators of device models. All that they need is in their options, which stay in flash:
// without tables in the arena they take no persistent memory, and `user_data` is the scratch
// buffer's index itself.
#include <type_traits>

#include "mn_operators/mn_operators.h"
#include "mn_operators/run.h"

namespace mn {
namespace {

// Tables that Init unpacks into the arena: multipliers, then shifts.
struct ArenaTables {
  int32_t scratch;
  int32_t multipliers[];
};

template <class Options>
const Options* OptionsOf(const void* data, size_t bytes, size_t tables_bytes) {
  const auto* options = static_cast<const Options*>(data);
  const bool is_readable = data != nullptr && reinterpret_cast<uintptr_t>(data) % 4 == 0 &&
                           bytes >= sizeof(Options);
  if (!is_readable) return nullptr;
  const int32_t version = *static_cast<const int32_t*>(data);
  return version == kOptionsVersion && bytes == sizeof(Options) + tables_bytes ? options : nullptr;
}

// Null where the options are malformed.
template <class Options>
const Options* WeightedOptionsOf(const void* data, size_t bytes) {
  if (data == nullptr || bytes < sizeof(Options)) return nullptr;
  const LayerOptions& layer = static_cast<const Options*>(data)->layer;
  const size_t entries = layer.table_entries, channels = layer.output.c;
  const bool is_single = entries == 1 && std::is_same_v<Options, FullyConnectedOptions>;
  if (entries > bytes || (entries != channels && !is_single)) return nullptr;
  const size_t packed_bytes = 4 * entries + (entries + 3) / 4 * 4;
  const size_t tables_bytes = layer.table_place == kTablesInFlash ? 8 * entries : packed_bytes;
  return OptionsOf<Options>(data, bytes, tables_bytes);
}

template <class Options>
void* InitWeighted(TfLiteContext* context, const char* buffer, size_t bytes) {
  const Options* options = WeightedOptionsOf<Options>(buffer, bytes);
  if (options == nullptr || options->layer.table_place == kTablesInFlash) return nullptr;
  const int32_t entries = options->layer.table_entries;
  auto* tables = static_cast<ArenaTables*>(
      AllocatePersistent(context, sizeof(ArenaTables) + 8 * entries));
  if (tables == nullptr) return nullptr;
  const int32_t* const multipliers = TablesBehind(*options);
  const auto* const shifts = reinterpret_cast<const signed char*>(multipliers + entries);
  for (int32_t i = 0; i < entries; ++i) {
    tables->multipliers[i] = multipliers[i];
    tables->multipliers[entries + i] = shifts[i];
  }
  return tables;
}

template <class Options>
TfLiteStatus PrepareWeighted(TfLiteContext* context, TfLiteNode* node,
                             int (*request_scratch)(TfLiteContext*, const Options&)) {
  const Options* options =
      WeightedOptionsOf<Options>(node->custom_initial_data, node->custom_initial_data_size);
  if (options == nullptr || node->outputs->size != 1) return kTfLiteError;
  const int scratch = request_scratch(context, *options);
  if (scratch < 0) return kTfLiteError;
  if (options->layer.table_place == kTablesInFlash) {
    node->user_data = reinterpret_cast<void*>(scratch);
    return kTfLiteOk;
  }
  if (node->user_data == nullptr) return kTfLiteError;
  static_cast<ArenaTables*>(node->user_data)->scratch = scratch;
  return kTfLiteOk;
}

template <class Family, class Options, auto kKernel, auto kBufferBytes>
struct WeightedOperator {
  static TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
    return PrepareWeighted<Options>(context, node, RequestScratch<Family, kBufferBytes, Options>);
  }
  static TfLiteStatus Invoke(TfLiteContext* context, TfLiteNode* node) {
    const auto& options = *static_cast<const Options*>(node->custom_initial_data);
    const int32_t* multipliers = TablesBehind(options);
    int scratch = reinterpret_cast<intptr_t>(node->user_data);
    if (options.layer.table_place == kTablesInArena) {
      const auto* tables = static_cast<const ArenaTables*>(node->user_data);
      multipliers = tables->multipliers;
      scratch = tables->scratch;
    }
    return RunWeighted<Family, kKernel, kBufferBytes>(context, node, options, multipliers, scratch);
  }
};

template <class Options>
TfLiteStatus PrepareOther(TfLiteContext*, TfLiteNode* node) {
  const void* options =
      OptionsOf<Options>(node->custom_initial_data, node->custom_initial_data_size, 0);
  return options != nullptr && node->outputs->size == 1 ? kTfLiteOk : kTfLiteError;
}

template <class Family, class Options, auto kKernel>
TfLiteStatus InvokeOther(TfLiteContext* context, TfLiteNode* node) {
  const auto& options = *static_cast<const Options*>(node->custom_initial_data);
  const mn_status status = Family::template Run<kKernel>(context, node, options);
  return status == MN_SUCCESS ? kTfLiteOk : kTfLiteError;
}

}  // namespace

#define MN_DEFINE_WEIGHTED(name, family, options, kernel)                                 \
  const Registration* Register_MN_##name() {                                              \
    using Operator = WeightedOperator<family, options, kernel, kernel##_get_buffer_size>; \
    static constexpr Registration registration =                                          \
        MakeRegistration(InitWeighted<options>, Operator::Prepare, Operator::Invoke);     \
    return &registration;                                                                 \
  }
#define MN_DEFINE_OTHER(name, family, options, kernel)                                          \
  const Registration* Register_MN_##name() {                                                    \
    static constexpr Registration registration =                                                \
        MakeRegistration(nullptr, PrepareOther<options>, InvokeOther<family, options, kernel>); \
    return &registration;                                                                       \
  }
MN_WEIGHTED_OPERATORS(MN_DEFINE_WEIGHTED)
MN_OTHER_OPERATORS(MN_DEFINE_OTHER)

}  // namespace mn
