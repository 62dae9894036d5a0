// SPDX-License-Identifier: Apache-2.0
// What the builtin operators' files share: tensors of Prepare, multipliers, options in the arena.
#ifndef MN_OPERATORS_BUILTIN_H_
#define MN_OPERATORS_BUILTIN_H_

#include "mn_operators/mn_operators.h"
#include "mn_operators/run.h"
#include "tensorflow/lite/c/builtin_op_data.h"
#include "tensorflow/lite/kernels/internal/quantization_util.h"
#include "tensorflow/lite/kernels/kernel_util.h"
#include "tensorflow/lite/micro/micro_context.h"
#include "tensorflow/lite/micro/micro_log.h"

namespace mn {

constexpr int32_t kAddLeftShift = 20;
constexpr int32_t kLargestShift = 30;

// Temporary tensors of one Prepare, in the order input, filter or second input, bias, output.
class Tensors {
 public:
  Tensors(TfLiteContext* context, TfLiteNode* node, int inputs)
      : micro_(tflite::GetMicroContext(context)), inputs_(inputs) {
    for (int i = 0; i < inputs; ++i) tensors_[i] = micro_->AllocateTempInputTensor(node, i);
    tensors_[inputs] = micro_->AllocateTempOutputTensor(node, 0);
  }
  ~Tensors() {
    for (int i = 0; i <= inputs_; ++i) {
      if (tensors_[i] != nullptr) micro_->DeallocateTempTfLiteTensor(tensors_[i]);
    }
  }
  TfLiteTensor* operator[](int index) const { return tensors_[index]; }
  TfLiteTensor* output() const { return tensors_[inputs_]; }

 private:
  tflite::MicroContext* micro_;
  int inputs_;
  TfLiteTensor* tensors_[4];
};

inline bool IsInt8(const TfLiteTensor* tensor) {
  if (tensor != nullptr && tensor->type == kTfLiteInt8) return true;
  MicroPrintf("these kernels take INT8 activations");
  return false;
}

inline mn_dims Dims(const TfLiteTensor* tensor) {
  const int* const dims = tensor->dims->data;
  return {dims[0], dims[1], dims[2], dims[3]};
}

inline int32_t Elements(const TfLiteTensor* tensor) {
  return static_cast<int32_t>(tflite::NumElements(tensor));
}

inline TfLiteStatus Multiplier(double factor, int32_t* multiplier, int32_t* shift) {
  int exponent = 0;
  tflite::QuantizeMultiplier(factor, multiplier, &exponent);
  *shift = exponent;
  return exponent <= kLargestShift ? kTfLiteOk : kTfLiteError;
}

inline TfLiteStatus Activation(TfLiteContext* context, TfLiteFusedActivation function,
                               TfLiteTensor* output, mn_activation* activation) {
  return tflite::CalculateActivationRangeQuantized(context, function, output, &activation->min,
                                                   &activation->max);
}

// A multiplier whose product with any difference of two INT8 fits 32 bits.
inline TfLiteStatus SmallMultiplier(double factor, int32_t* multiplier, int32_t* shift) {
  constexpr int32_t kMostShift = 22;
  TF_LITE_ENSURE_STATUS(Multiplier(factor, multiplier, shift));
  return *shift <= kMostShift ? kTfLiteOk : kTfLiteError;
}

// ADD and SUB, from the factors of both inputs and of the output.
template <class Number>
TfLiteStatus FillSum(TfLiteContext* context, TfLiteFusedActivation function,
                     const Tensors& tensors, const Number (&factors)[3], mn_add_params* add) {
  add->left_shift = kAddLeftShift;
  add->input1_offset = -tensors[0]->params.zero_point;
  add->input2_offset = -tensors[1]->params.zero_point;
  add->output_offset = tensors.output()->params.zero_point;
  TF_LITE_ENSURE_STATUS(Multiplier(factors[0], &add->input1_multiplier, &add->input1_shift));
  TF_LITE_ENSURE_STATUS(Multiplier(factors[1], &add->input2_multiplier, &add->input2_shift));
  TF_LITE_ENSURE_STATUS(Multiplier(factors[2], &add->output_multiplier, &add->output_shift));
  return Activation(context, function, tensors.output(), &add->activation);
}

// `user_data` is the options.
template <class Options>
Options* NewOptions(TfLiteContext* context, TfLiteNode* node) {
  node->user_data = AllocatePersistent(context, sizeof(Options));
  auto* options = static_cast<Options*>(node->user_data);
  if (options != nullptr) *static_cast<int32_t*>(node->user_data) = kOptionsVersion;
  return options;
}

template <class Family, class Options, auto kKernel>
TfLiteStatus InvokeOther(TfLiteContext* context, TfLiteNode* node) {
  const auto& options = *static_cast<const Options*>(node->user_data);
  const mn_status status = Family::template Run<kKernel>(context, node, options);
  return status == MN_SUCCESS ? kTfLiteOk : kTfLiteError;
}

#define MN_DEFINE_OTHER(name, family, options, kernel, prepare)                                \
  const Registration* Register_##name() {                                                      \
    static constexpr Registration registration =                                               \
        MakeRegistration(nullptr, prepare, InvokeOther<family, options, kernel>);              \
    return &registration;                                                                      \
  }

}  // namespace mn

#endif  // MN_OPERATORS_BUILTIN_H_
