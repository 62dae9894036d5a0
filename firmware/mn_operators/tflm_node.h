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
