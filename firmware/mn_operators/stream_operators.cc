// SPDX-License-Identifier: Apache-2.0
// Groups of layers in rows. Prepare checks the whole table against the sizes of the tensors; Init
// allocates what it notes down.
#include "mn_operators/mn_operators.h"
#include "mn_stream.h"

namespace mn {
namespace {

struct StreamData {
  int32_t scratch;
  int32_t scratch_bytes;
};

// The group of a node without the sizes of its tensors; whoever calls fills in those that it needs.
bool IsGroup(TfLiteNode* node, mn_stream_group* group) {
  const size_t bytes = node->custom_initial_data_size;
  const int inputs = node->inputs->size;
  *group = {static_cast<const int32_t*>(node->custom_initial_data),
            static_cast<int32_t>(bytes / 4), inputs, nullptr, 0};
  return bytes % 4 == 0 && bytes <= INT32_MAX && inputs <= MN_STREAM_INPUTS &&
         node->outputs->size == 1;
}

void* InitStream(TfLiteContext* context, const char*, size_t) {
  return AllocatePersistent(context, sizeof(StreamData));
}

template <auto kBufferBytes>
TfLiteStatus PrepareStream(TfLiteContext* context, TfLiteNode* node) {
  auto* const data = static_cast<StreamData*>(node->user_data);
  mn_stream_group group;
  if (data == nullptr || !IsGroup(node, &group)) return kTfLiteError;
  int32_t input_bytes[MN_STREAM_INPUTS];
  for (int i = 0; i < group.input_count; ++i) {
    input_bytes[i] = InputBytes(context, node, i);
  }
  group.input_bytes = input_bytes;
  group.output_bytes = OutputBytes(context, node);
  data->scratch_bytes = kBufferBytes(&group);
  if (data->scratch_bytes <= 0) return data->scratch_bytes == 0 ? kTfLiteOk : kTfLiteError;
  int scratch = 0;
  const TfLiteStatus status =
      context->RequestScratchBufferInArena(context, data->scratch_bytes, &scratch);
  data->scratch = scratch;
  return status;
}

template <auto kKernel>
TfLiteStatus InvokeStream(TfLiteContext* context, TfLiteNode* node) {
  const auto& data = *static_cast<const StreamData*>(node->user_data);
  mn_stream_group group;
  if (!IsGroup(node, &group)) return kTfLiteError;
  const void* inputs[MN_STREAM_INPUTS];
  for (int i = 0; i < group.input_count; ++i) inputs[i] = Input(context, node, i);
  const mn_context scratch = {
      data.scratch_bytes > 0 ? context->GetScratchBuffer(context, data.scratch) : nullptr,
      data.scratch_bytes};
  const mn_status status = kKernel(&scratch, &group, inputs, Output(context, node));
  return status == MN_SUCCESS ? kTfLiteOk : kTfLiteError;
}

}  // namespace

#define MN_DEFINE_STREAM(name, kernel)                                        \
  const Registration* Register_MN_##name() {                                  \
    static constexpr Registration registration =                              \
        MakeRegistration(InitStream, PrepareStream<kernel##_get_buffer_size>, \
                         InvokeStream<kernel>);                               \
    return &registration;                                                     \
  }
MN_STREAM_OPERATORS(MN_DEFINE_STREAM)

}  // namespace mn
