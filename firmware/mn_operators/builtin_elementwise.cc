// SPDX-License-Identifier: Apache-2.0
// Activations, operators of two tensors, MEAN and PAD in the place of current TFLM's own, for INT8.
// See builtin_operators.cc.
#if __has_include("tensorflow/lite/micro/micro_log.h")

#include <algorithm>
#include <cmath>

#include "mn_operators/builtin.h"
#include "tensorflow/lite/kernels/internal/reference/hard_swish.h"
#include "tensorflow/lite/kernels/internal/reference/integer_ops/logistic.h"
#include "tensorflow/lite/kernels/internal/reference/integer_ops/tanh.h"
#include "tensorflow/lite/kernels/internal/reference/leaky_relu.h"
#include "tensorflow/lite/micro/kernels/activations.h"

namespace mn {
namespace {

constexpr int kTableEntries = 256;
constexpr int kMostDimensions = 4;
constexpr int32_t kMostReduced = 1 << 22;

// What an activation's function is of.
struct Activated {
  TfLiteContext* context;
  const TfLiteNode* node;
  const TfLiteTensor* input;
  TfLiteTensor* output;
};

// Fills a table: TFLM's own function of the 256 values, in the order of the table.
using FillTable = TfLiteStatus (*)(const Activated& of, const tflite::RuntimeShape& shape,
                                   const int8_t* values, int8_t* table);

// Inputs of LOGISTIC and TANH with 4 integer bits.
struct FixedInput {
  int32_t multiplier;
  int shift;
  int32_t radius;
};

bool MakeFixedInput(const TfLiteTensor* input, FixedInput* fixed) {
  constexpr int kIntegerBits = 4;
  const double factor = static_cast<double>(input->params.scale) * (1 << (31 - kIntegerBits));
  const double rounded = std::round(std::frexp(factor, &fixed->shift) * (1ll << 31));
  if (rounded >= (1ll << 31) || fixed->shift < 0 || fixed->shift > 30) return false;
  fixed->multiplier = static_cast<int32_t>(rounded);
  fixed->radius = tflite::CalculateInputRadius(kIntegerBits, fixed->shift, 31);
  return true;
}

TfLiteStatus FillLogistic(const Activated& of, const tflite::RuntimeShape&, const int8_t* values,
                          int8_t* table) {
  FixedInput fixed;
  if (of.output->params.zero_point != -128 || !MakeFixedInput(of.input, &fixed)) {
    return kTfLiteError;
  }
  tflite::reference_integer_ops::Logistic(of.input->params.zero_point, fixed.radius,
                                          fixed.multiplier, fixed.shift, kTableEntries, values,
                                          table);
  return kTfLiteOk;
}

TfLiteStatus FillTanh(const Activated& of, const tflite::RuntimeShape& shape,
                      const int8_t* values, int8_t* table) {
  FixedInput fixed;
  if (!MakeFixedInput(of.input, &fixed)) return kTfLiteError;
  tflite::reference_integer_ops::Tanh(of.input->params.zero_point, fixed.radius, fixed.multiplier,
                                      fixed.shift, shape, values, shape, table);
  return kTfLiteOk;
}

TfLiteStatus FillLeakyRelu(const Activated& of, const tflite::RuntimeShape& shape,
                           const int8_t* values, int8_t* table) {
  const float alpha = static_cast<const TfLiteLeakyReluParams*>(of.node->builtin_data)->alpha;
  const float source = of.input->params.scale, target = of.output->params.scale;
  if (!(alpha >= 0)) return kTfLiteError;
  tflite::LeakyReluParams params = {};
  params.input_offset = of.input->params.zero_point;
  params.output_offset = of.output->params.zero_point;
  TF_LITE_ENSURE_STATUS(SmallMultiplier(source * alpha / target, &params.output_multiplier_alpha,
                                        &params.output_shift_alpha));
  TF_LITE_ENSURE_STATUS(SmallMultiplier(source / target, &params.output_multiplier_identity,
                                        &params.output_shift_identity));
  tflite::reference_ops::QuantizeLeakyRelu(params, shape, values, shape, table);
  return kTfLiteOk;
}

TfLiteStatus FillRelu(const Activated& of, const tflite::RuntimeShape&, const int8_t* values,
                      int8_t* table) {
  const int32_t zero = of.output->params.zero_point;
  int32_t multiplier = 0, shift = 0;
  TF_LITE_ENSURE_STATUS(
      SmallMultiplier(of.input->params.scale / of.output->params.scale, &multiplier, &shift));
  for (int i = 0; i < kTableEntries; ++i) {
    const int32_t value = zero + tflite::MultiplyByQuantizedMultiplier(
                                     values[i] - of.input->params.zero_point, multiplier, shift);
    table[i] = static_cast<int8_t>(std::min<int32_t>(std::max(value, zero), 127));
  }
  return kTfLiteOk;
}

TfLiteStatus FillRelu6(const Activated& of, const tflite::RuntimeShape&, const int8_t* values,
                       int8_t* table) {
  const int32_t zero = of.input->params.zero_point;
  const float steps = 6.0f / of.input->params.scale;
  if (!std::isfinite(steps)) return kTfLiteError;
  const int32_t six = std::min(std::round(steps) + zero, 127.0f);
  for (int i = 0; i < kTableEntries; ++i) {
    table[i] = static_cast<int8_t>(std::min(std::max<int32_t>(values[i], zero), six));
  }
  return kTfLiteOk;
}

TfLiteStatus FillHardSwish(const Activated& of, const tflite::RuntimeShape& shape,
                           const int8_t* values, int8_t* table) {
  constexpr int kMostShift = 15;
  const float fine_scale = (1.0f / 128.0f) * of.input->params.scale;
  tflite::HardSwishParams params;
  params.input_zero_point = of.input->params.zero_point;
  params.output_zero_point = of.output->params.zero_point;
  int32_t multiplier = 0, shift = 0;
  TF_LITE_ENSURE_STATUS(Multiplier(fine_scale / of.output->params.scale, &multiplier, &shift));
  if (shift > 0 || shift < -kMostShift) return kTfLiteError;
  params.output_multiplier_exponent = shift;
  tflite::DownScaleInt32ToInt16Multiplier(multiplier, &params.output_multiplier_fixedpoint_int16);
  TF_LITE_ENSURE_STATUS(Multiplier(fine_scale / (3.0f / 32768.0f), &multiplier, &shift));
  if (shift < -kMostShift) return kTfLiteError;
  params.reluish_multiplier_exponent = shift;
  tflite::DownScaleInt32ToInt16Multiplier(multiplier, &params.reluish_multiplier_fixedpoint_int16);
  tflite::reference_ops::HardSwish<int8_t>(params, shape, values, shape, table);
  return kTfLiteOk;
}

template <FillTable kFill>
TfLiteStatus PrepareLookup(TfLiteContext* context, TfLiteNode* node) {
  const Tensors tensors(context, node, 1);
  TfLiteTensor *input = tensors[0], *output = tensors.output();
  if (!IsInt8(input) || !IsInt8(output)) return kTfLiteError;
  auto* options = NewOptions<LookupOptions>(context, node);
  TF_LITE_ENSURE(context, options != nullptr);
  options->count = Elements(output);
  TF_LITE_ENSURE(context, Elements(input) == options->count);
  int8_t values[kTableEntries];
  for (int i = 0; i < kTableEntries; ++i) values[i] = static_cast<int8_t>(i);
  const tflite::RuntimeShape shape(1, kTableEntries);
  return kFill({context, node, input, output}, shape, values, options->table);
}

bool FourDims(const TfLiteTensor* tensor, mn_dims* dims) {
  const int rank = tensor->dims->size;
  if (rank > kMostDimensions) return false;
  int32_t sizes[kMostDimensions] = {1, 1, 1, 1};
  std::copy_n(tensor->dims->data, rank, sizes + kMostDimensions - rank);
  *dims = {sizes[0], sizes[1], sizes[2], sizes[3]};
  return true;
}

bool FillPair(PairOptions* pair, const Tensors& tensors) {
  return FourDims(tensors[0], &pair->input1) && FourDims(tensors[1], &pair->input2) &&
         FourDims(tensors.output(), &pair->output);
}

PairOptions* Head(PairOptions* options) { return options; }
template <class Options>
PairOptions* Head(Options* options) {
  return &options->pair;
}

// Null where the tensors do not fit.
template <class Options>
Options* NewPair(TfLiteContext* context, TfLiteNode* node, const Tensors& tensors) {
  const bool are_int8 = IsInt8(tensors[0]) && IsInt8(tensors[1]) && IsInt8(tensors.output());
  auto* options = are_int8 ? NewOptions<Options>(context, node) : nullptr;
  return options != nullptr && FillPair(Head(options), tensors) ? options : nullptr;
}

TfLiteStatus PreparePair(TfLiteContext* context, TfLiteNode* node) {
  const Tensors tensors(context, node, 2);
  return NewPair<PairOptions>(context, node, tensors) != nullptr ? kTfLiteOk : kTfLiteError;
}

TfLiteStatus PrepareMul(TfLiteContext* context, TfLiteNode* node) {
  const auto& params = *static_cast<const TfLiteMulParams*>(node->builtin_data);
  const Tensors tensors(context, node, 2);
  auto* options = NewPair<MulOptions>(context, node, tensors);
  TF_LITE_ENSURE(context, options != nullptr);
  const TfLiteTensor *first = tensors[0], *second = tensors[1];
  mn_mul_params& mul = options->params;
  mul.input1_offset = -first->params.zero_point;
  mul.input2_offset = -second->params.zero_point;
  mul.output_offset = tensors.output()->params.zero_point;
  const double product = static_cast<double>(first->params.scale) * second->params.scale;
  TF_LITE_ENSURE_STATUS(
      Multiplier(product / tensors.output()->params.scale, &mul.multiplier, &mul.shift));
  return Activation(context, params.activation, tensors.output(), &mul.activation);
}

TfLiteStatus PrepareSub(TfLiteContext* context, TfLiteNode* node) {
  const auto& params = *static_cast<const TfLiteSubParams*>(node->builtin_data);
  const Tensors tensors(context, node, 2);
  auto* options = NewPair<BroadcastAddOptions>(context, node, tensors);
  TF_LITE_ENSURE(context, options != nullptr);
  TfLiteTensor *first = tensors[0], *second = tensors[1], *output = tensors.output();
  const float twice = 2 * std::max(first->params.scale, second->params.scale);
  // Single precision, unlike ADD's.
  const float factors[] = {first->params.scale / twice, second->params.scale / twice,
                           twice / ((1 << kAddLeftShift) * output->params.scale)};
  return FillSum(context, params.activation, tensors, factors, &options->params);
}

// The dimensions over which a mean is taken, as bits; 0 where they are not constant.
uint32_t AxesOf(const TfLiteTensor* axes, int rank) {
  if (axes == nullptr || axes->type != kTfLiteInt32 || axes->data.i32 == nullptr) return 0;
  uint32_t found = 0;
  for (int32_t i = 0; i < Elements(axes); ++i) {
    const int32_t axis = axes->data.i32[i];
    if (axis < -rank || axis >= rank) return 0;
    found |= 1u << (axis < 0 ? axis + rank : axis);
  }
  return found;
}

// Splits the dimensions into those before, in and behind the mean's; false where these do not lie
// side by side.
bool SplitDimensions(const TfLiteIntArray& dims, uint32_t axes, MeanOptions* options) {
  options->outer = options->reduced = options->inner = 1;
  bool has_begun = false, has_ended = false;
  for (int i = 0; i < dims.size; ++i) {
    if (dims.data[i] == 1) continue;
    const bool is_reduced = (axes >> i) & 1;
    if (is_reduced && has_ended) return false;
    has_ended = has_begun && !is_reduced;
    has_begun = has_begun || is_reduced;
    int32_t& part = is_reduced ? options->reduced : has_begun ? options->inner : options->outer;
    part *= dims.data[i];
  }
  return true;
}

TfLiteStatus PrepareMean(TfLiteContext* context, TfLiteNode* node) {
  const Tensors tensors(context, node, 2);
  TfLiteTensor *input = tensors[0], *output = tensors.output();
  if (!IsInt8(input) || !IsInt8(output)) return kTfLiteError;
  auto* options = NewOptions<MeanOptions>(context, node);
  TF_LITE_ENSURE(context, options != nullptr);
  const uint32_t axes = AxesOf(tensors[1], input->dims->size);
  TF_LITE_ENSURE(context, axes != 0 && SplitDimensions(*input->dims, axes, options));
  TF_LITE_ENSURE(context, options->reduced <= kMostReduced &&
                              Elements(output) == options->outer * options->inner);
  mn_requantize_params& params = options->params;
  params.input_offset = -input->params.zero_point;
  params.output_offset = output->params.zero_point;
  TF_LITE_ENSURE_STATUS(Multiplier(static_cast<double>(input->params.scale) /
                                       static_cast<double>(output->params.scale),
                                   &params.multiplier, &params.shift));
  // TFLM divides by the number of elements in the multiplier, as far as the shift allows.
  const int bits = std::min(31 - __builtin_clz(options->reduced), 31 + static_cast<int>(params.shift));
  params.multiplier = static_cast<int32_t>((static_cast<int64_t>(params.multiplier) << bits) /
                                           options->reduced);
  params.shift -= bits;
  return kTfLiteOk;
}

TfLiteStatus PreparePad(TfLiteContext* context, TfLiteNode* node) {
  const Tensors tensors(context, node, node->inputs->size > 2 ? 3 : 2);
  TfLiteTensor *input = tensors[0], *paddings = tensors[1], *output = tensors.output();
  if (!IsInt8(input) || !IsInt8(output)) return kTfLiteError;
  const int rank = input->dims->size;
  TF_LITE_ENSURE(context, rank >= 1 && rank <= kMostDimensions && paddings != nullptr &&
                              paddings->type == kTfLiteInt32 && Elements(paddings) == 2 * rank &&
                              paddings->data.i32 != nullptr);
  auto* options = NewOptions<PadOptions>(context, node);
  TF_LITE_ENSURE(context, options != nullptr);
  int32_t before[kMostDimensions] = {}, after[kMostDimensions] = {};
  for (int i = 0; i < rank; ++i) {
    const int axis = kMostDimensions - rank + i;
    before[axis] = paddings->data.i32[2 * i];
    after[axis] = paddings->data.i32[2 * i + 1];
    TF_LITE_ENSURE(context, before[axis] >= 0 && after[axis] >= 0);
    TF_LITE_ENSURE_EQ(context, before[axis] + input->dims->data[i] + after[axis],
                      output->dims->data[i]);
  }
  FourDims(input, &options->input);
  options->before = {before[0], before[1], before[2], before[3]};
  options->after = {after[0], after[1], after[2], after[3]};
  options->value = output->params.zero_point;
  if (node->inputs->size > 2) {
    const TfLiteTensor* constant = tensors[2];
    TF_LITE_ENSURE(context, constant != nullptr && constant->data.int8 != nullptr);
    options->value = constant->data.int8[0];
  }
  return kTfLiteOk;
}

}  // namespace

#define MN_DEFINE_LOOKUP(name, fill) \
  MN_DEFINE_OTHER(name, Lookup, LookupOptions, mn_lookup_s8, PrepareLookup<fill>)

MN_DEFINE_LOOKUP(HARD_SWISH, FillHardSwish)
MN_DEFINE_LOOKUP(LEAKY_RELU, FillLeakyRelu)
MN_DEFINE_LOOKUP(LOGISTIC, FillLogistic)
MN_DEFINE_LOOKUP(RELU, FillRelu)
MN_DEFINE_LOOKUP(RELU6, FillRelu6)
MN_DEFINE_LOOKUP(TANH, FillTanh)
MN_DEFINE_OTHER(MAXIMUM, PlainPair, PairOptions, mn_maximum_s8, PreparePair)
MN_DEFINE_OTHER(MEAN, Mean, MeanOptions, mn_mean_s8, PrepareMean)
MN_DEFINE_OTHER(MINIMUM, PlainPair, PairOptions, mn_minimum_s8, PreparePair)
MN_DEFINE_OTHER(MUL, Pair, MulOptions, mn_mul_s8, PrepareMul)
MN_DEFINE_OTHER(PAD, Padding, PadOptions, mn_pad_s8, PreparePad)
MN_DEFINE_OTHER(PADV2, Padding, PadOptions, mn_pad_s8, PreparePad)
MN_DEFINE_OTHER(SUB, Pair, BroadcastAddOptions, mn_sub_s8, PrepareSub)

}  // namespace mn

#endif
