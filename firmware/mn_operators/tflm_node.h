// SPDX-License-Identifier: Apache-2.0
// The little that operators need of TFLM, over the API of mid-2020 and the current one.
#ifndef MN_OPERATORS_TFLM_NODE_H_
#define MN_OPERATORS_TFLM_NODE_H_

#include <cstddef>

#include "tensorflow/lite/c/common.h"
#if __has_include("tensorflow/lite/micro/micro_log.h")
#include "tensorflow/lite/micro/kernels/kernel_util.h"
#include "tensorflow/lite/micro/micro_common.h"
#endif

namespace mn {

// A tensor's data, as any type of pointer that a kernel wants.
class Data {
 public:
  explicit Data(void* data) : data_(data) {}
  template <class T>
  operator T*() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_;
};

#if __has_include("tensorflow/lite/micro/micro_log.h")

using Registration = TFLMRegistration;

inline Data Input(TfLiteContext* context, TfLiteNode* node, int index) {
  const bool is_given = index < node->inputs->size && node->inputs->data[index] >= 0;
  return Data(is_given ? tflite::micro::GetMutableEvalInput(context, node, index)->data.data
                       : nullptr);
}

inline Data Output(TfLiteContext* context, TfLiteNode* node) {
  return Data(tflite::micro::GetEvalOutput(context, node, 0)->data.data);
}

// Bytes of a tensor, -1 where it is of a type that no kernel here takes.
inline int32_t TensorBytes(const TfLiteEvalTensor* tensor) {
  if (tensor == nullptr || tensor->dims == nullptr) return -1;
  int64_t bytes = tensor->type == kTfLiteInt8 ? 1 : tensor->type == kTfLiteInt32 ? 4 : -1;
  for (int i = 0; i < tensor->dims->size && bytes <= INT32_MAX; ++i) {
    bytes *= tensor->dims->data[i];
  }
  return bytes <= INT32_MAX ? static_cast<int32_t>(bytes) : -1;
}

inline int32_t InputBytes(TfLiteContext* context, TfLiteNode* node, int index) {
  if (node->inputs->data[index] < 0) return -1;
  return TensorBytes(tflite::micro::GetEvalInput(context, node, index));
}

inline int32_t OutputBytes(TfLiteContext* context, TfLiteNode* node) {
  return TensorBytes(tflite::micro::GetEvalOutput(context, node, 0));
}

inline void* AllocatePersistent(TfLiteContext* context, size_t bytes) {
  return context->AllocatePersistentBuffer(context, bytes);
}

#else

using Registration = TfLiteRegistration;

inline Data Input(TfLiteContext* context, TfLiteNode* node, int index) {
  const bool is_given = index < node->inputs->size && node->inputs->data[index] >= 0;
  return Data(is_given ? context->tensors[node->inputs->data[index]].data.raw : nullptr);
}

inline Data Output(TfLiteContext* context, TfLiteNode* node) {
  return Data(context->tensors[node->outputs->data[0]].data.raw);
}

// Bytes of a tensor, -1 where there is none.
inline int32_t TensorBytes(TfLiteContext* context, int tensor) {
  return tensor < 0 ? -1 : static_cast<int32_t>(context->tensors[tensor].bytes);
}

inline int32_t InputBytes(TfLiteContext* context, TfLiteNode* node, int index) {
  return TensorBytes(context, node->inputs->data[index]);
}

inline int32_t OutputBytes(TfLiteContext* context, TfLiteNode* node) {
  return TensorBytes(context, node->outputs->data[0]);
}

inline void* AllocatePersistent(TfLiteContext* context, size_t bytes) {
  void* buffer = nullptr;
  return context->AllocatePersistentBuffer(context, bytes, &buffer) == kTfLiteOk ? buffer : nullptr;
}

#endif

constexpr Registration MakeRegistration(void* (*init)(TfLiteContext*, const char*, size_t),
                                        TfLiteStatus (*prepare)(TfLiteContext*, TfLiteNode*),
                                        TfLiteStatus (*invoke)(TfLiteContext*, TfLiteNode*)) {
  Registration registration = {};
  registration.init = init;
  registration.prepare = prepare;
  registration.invoke = invoke;
  return registration;
}

}  // namespace mn

#endif  // MN_OPERATORS_TFLM_NODE_H_
