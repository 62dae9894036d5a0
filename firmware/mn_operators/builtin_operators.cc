// SPDX-License-Identifier: Apache-2.0
// The kernels in the place of current TFLM's own, for INT8 activations with INT8 or INT4 weights.
// Prepare computes what the options of a custom operator hold (options.h) and keeps it in the arena:
// a scratch buffer's index where there are weights, options, tables. predictor/operators/mn/builtin.py
// mirrors what it allocates.
#if __has_include("tensorflow/lite/micro/micro_log.h")

#include <algorithm>

#include "mn_operators/builtin.h"
#include "tensorflow/lite/kernels/padding.h"

namespace mn {
namespace {

const TfLiteFloatArray* ScalesOf(const TfLiteTensor* tensor) {
  if (tensor->quantization.type != kTfLiteAffineQuantization) return nullptr;
  return static_cast<const TfLiteAffineQuantization*>(tensor->quantization.params)->scale;
}

template <class Options>
struct WeightedData {
  int32_t scratch;
  Options options;
  int32_t tables[];
};

// Multipliers and shifts, from one scale of the weights or one for each entry.
TfLiteStatus FillTables(double input_scale, const TfLiteFloatArray& scales, double output_scale,
                        int32_t entries, int32_t* tables) {
  for (int32_t i = 0; i < entries; ++i) {
    const double scale = scales.data[scales.size == 1 ? 0 : i];
    const double factor = input_scale * scale / output_scale;
    TF_LITE_ENSURE_STATUS(Multiplier(factor, &tables[i], &tables[entries + i]));
  }
  return kTfLiteOk;
}

bool IsBias(const TfLiteTensor* bias, int32_t channels) {
  return bias == nullptr || (bias->type == kTfLiteInt32 && Elements(bias) == channels);
}

bool AreWeights(const TfLiteTensor* filter) {
  return filter != nullptr && (filter->type == kTfLiteInt8 || filter->type == kTfLiteInt4);
}

template <class Options>
WeightedData<Options>* NewData(TfLiteContext* context, TfLiteNode* node, int32_t entries) {
  void* data = AllocatePersistent(context, sizeof(WeightedData<Options>) + 8 * entries);
  node->user_data = data;
  return static_cast<WeightedData<Options>*>(data);
}

LayerOptions Layer(int32_t entries, const mn_dims& input, const mn_dims& filter,
                   const mn_dims& output) {
  return {kOptionsVersion, kTablesInFlash, entries, input, filter, output};
}

void SetChannelMultiplier(mn_conv_params*, const LayerOptions&) {}
void SetChannelMultiplier(mn_dw_conv_params* params, const LayerOptions& layer) {
  params->ch_mult = layer.output.c / layer.input.c;
}

// CONV_2D and DEPTHWISE_CONV_2D: `Params` is TFLM's parameter struct of the operator.
template <class Options, class Params>
TfLiteStatus PrepareLayer(TfLiteContext* context, TfLiteNode* node) {
  const auto& params = *static_cast<const Params*>(node->builtin_data);
  const Tensors tensors(context, node, 3);
  TfLiteTensor *input = tensors[0], *filter = tensors[1], *output = tensors.output();
  if (!IsInt8(input) || !IsInt8(output) || !AreWeights(filter)) return kTfLiteError;
  TF_LITE_ENSURE(context, input->dims->size == 4 && filter->dims->size == 4 &&
                              output->dims->size == 4);
  const int32_t channels = output->dims->data[3];
  const TfLiteFloatArray* scales = ScalesOf(filter);
  TF_LITE_ENSURE(context, scales != nullptr && (scales->size == 1 || scales->size == channels));
  TF_LITE_ENSURE(context, IsBias(tensors[2], channels));
  auto* data = NewData<Options>(context, node, channels);
  TF_LITE_ENSURE(context, data != nullptr);
  Options& options = data->options;
  options.layer = Layer(channels, Dims(input), Dims(filter), Dims(output));
  int out_height = 0, out_width = 0;
  const TfLitePaddingValues padding = tflite::ComputePaddingHeightWidth(
      params.stride_height, params.stride_width, params.dilation_height_factor,
      params.dilation_width_factor, options.layer.input.h, options.layer.input.w,
      options.layer.filter.h, options.layer.filter.w, params.padding, &out_height, &out_width);
  options.params.input_offset = -input->params.zero_point;
  options.params.output_offset = output->params.zero_point;
  options.params.stride = {params.stride_width, params.stride_height};
  options.params.padding = {padding.width, padding.height};
  options.params.dilation = {params.dilation_width_factor, params.dilation_height_factor};
  SetChannelMultiplier(&options.params, options.layer);
  TF_LITE_ENSURE_STATUS(
      Activation(context, params.activation, output, &options.params.activation));
  return FillTables(input->params.scale, *scales, output->params.scale, channels, data->tables);
}

TfLiteStatus PrepareDense(TfLiteContext* context, TfLiteNode* node) {
  const auto& params = *static_cast<const TfLiteFullyConnectedParams*>(node->builtin_data);
  const Tensors tensors(context, node, 3);
  TfLiteTensor *input = tensors[0], *filter = tensors[1], *output = tensors.output();
  if (!IsInt8(input) || !IsInt8(output) || !AreWeights(filter)) return kTfLiteError;
  const TfLiteFloatArray* scales = ScalesOf(filter);
  TF_LITE_ENSURE(context, scales != nullptr && output->dims->size > 0 && filter->dims->size > 0);
  const int32_t depth = filter->dims->data[filter->dims->size - 1];
  const int32_t channels = output->dims->data[output->dims->size - 1];
  TF_LITE_ENSURE(context, depth > 0 && channels > 0);
  const int32_t batches = Elements(output) / channels;
  TF_LITE_ENSURE(context, Elements(filter) == channels * depth &&
                              Elements(input) == batches * depth);
  TF_LITE_ENSURE(context, filter->params.zero_point == 0 && IsBias(tensors[2], channels));
  TF_LITE_ENSURE(context, scales->size == 1 || scales->size == channels);
  auto* data = NewData<FullyConnectedOptions>(context, node, scales->size);
  TF_LITE_ENSURE(context, data != nullptr);
  FullyConnectedOptions& options = data->options;
  options.layer = Layer(scales->size, {batches, 1, 1, depth}, {channels, 1, 1, depth},
                        {batches, 1, 1, channels});
  options.params.input_offset = -input->params.zero_point;
  options.params.output_offset = output->params.zero_point;
  TF_LITE_ENSURE_STATUS(
      Activation(context, params.activation, output, &options.params.activation));
  if (scales->size == 1) {
    // One scale for all weights: TFLM multiplies it with the input's in single precision.
    const double product = input->params.scale * filter->params.scale;
    return Multiplier(product / static_cast<double>(output->params.scale), &data->tables[0],
                      &data->tables[1]);
  }
  return FillTables(input->params.scale, *scales, output->params.scale, channels, data->tables);
}

// The kernel of the filter's type.
template <class Family, class Options, auto kInt8, auto kInt8Bytes, auto kInt4, auto kInt4Bytes>
struct WeightedOperator {
  static bool HasInt4(TfLiteContext* context, TfLiteNode* node) {
    return tflite::micro::GetEvalInput(context, node, 1)->type == kTfLiteInt4;
  }
  template <TfLiteStatus (*kPrepare)(TfLiteContext*, TfLiteNode*)>
  static TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
    TF_LITE_ENSURE_STATUS(kPrepare(context, node));
    auto* data = static_cast<WeightedData<Options>*>(node->user_data);
    data->scratch = HasInt4(context, node)
                        ? RequestScratch<Family, kInt4Bytes>(context, data->options)
                        : RequestScratch<Family, kInt8Bytes>(context, data->options);
    return data->scratch >= 0 ? kTfLiteOk : kTfLiteError;
  }
  static TfLiteStatus Invoke(TfLiteContext* context, TfLiteNode* node) {
    const auto& data = *static_cast<const WeightedData<Options>*>(node->user_data);
    return HasInt4(context, node)
               ? RunWeighted<Family, kInt4, kInt4Bytes>(context, node, data.options, data.tables,
                                                        data.scratch)
               : RunWeighted<Family, kInt8, kInt8Bytes>(context, node, data.options, data.tables,
                                                        data.scratch);
  }
};

// Operators without weights.

TfLiteStatus PreparePool(TfLiteContext* context, TfLiteNode* node) {
  const auto& params = *static_cast<const TfLitePoolParams*>(node->builtin_data);
  const Tensors tensors(context, node, 1);
  TfLiteTensor *input = tensors[0], *output = tensors.output();
  if (!IsInt8(input) || !IsInt8(output)) return kTfLiteError;
  TF_LITE_ENSURE(context, input->dims->size == 4 && output->dims->size == 4);
  TF_LITE_ENSURE(context, input->params.zero_point == output->params.zero_point);
  const float difference = input->params.scale - output->params.scale;
  TF_LITE_ENSURE(context, difference <= 1e-6f && difference >= -1e-6f);
  auto* options = NewOptions<PoolOptions>(context, node);
  TF_LITE_ENSURE(context, options != nullptr);
  options->input = Dims(input);
  options->filter = {1, params.filter_height, params.filter_width, 1};
  options->output = Dims(output);
  int out_height = 0, out_width = 0;
  const TfLitePaddingValues padding = tflite::ComputePaddingHeightWidth(
      params.stride_height, params.stride_width, 1, 1, options->input.h, options->input.w,
      params.filter_height, params.filter_width, params.padding, &out_height, &out_width);
  options->params.stride = {params.stride_width, params.stride_height};
  options->params.padding = {padding.width, padding.height};
  return Activation(context, params.activation, output, &options->params.activation);
}

TfLiteStatus PrepareAdd(TfLiteContext* context, TfLiteNode* node) {
  const auto& params = *static_cast<const TfLiteAddParams*>(node->builtin_data);
  const Tensors tensors(context, node, 2);
  TfLiteTensor *first = tensors[0], *second = tensors[1], *output = tensors.output();
  if (!IsInt8(first) || !IsInt8(second) || !IsInt8(output)) return kTfLiteError;
  TF_LITE_ENSURE(context, tflite::HaveSameShapes(first, second));
  auto* options = NewOptions<AddOptions>(context, node);
  TF_LITE_ENSURE(context, options != nullptr);
  options->count = Elements(output);
  const double scales[] = {first->params.scale, second->params.scale, output->params.scale};
  const double twice = 2 * std::max(scales[0], scales[1]);
  const double factors[] = {scales[0] / twice, scales[1] / twice,
                            twice / ((1 << kAddLeftShift) * scales[2])};
  return FillSum(context, params.activation, tensors, factors, &options->params);
}

TfLiteStatus PrepareSoftmax(TfLiteContext* context, TfLiteNode* node) {
  constexpr int kIntegerBits = 5;
  const auto& params = *static_cast<const TfLiteSoftmaxParams*>(node->builtin_data);
  const Tensors tensors(context, node, 1);
  TfLiteTensor *input = tensors[0], *output = tensors.output();
  if (!IsInt8(input) || !IsInt8(output)) return kTfLiteError;
  TF_LITE_ENSURE(context, output->params.zero_point == -128 &&
                              output->params.scale == 1.0f / 256 && input->dims->size > 0);
  auto* options = NewOptions<SoftmaxOptions>(context, node);
  TF_LITE_ENSURE(context, options != nullptr);
  options->row_size = input->dims->data[input->dims->size - 1];
  TF_LITE_ENSURE(context, options->row_size > 0);
  options->rows = Elements(input) / options->row_size;
  int left_shift = 0;
  tflite::PreprocessSoftmaxScaling(params.beta, input->params.scale, kIntegerBits,
                                   &options->multiplier, &left_shift);
  options->left_shift = left_shift;
  options->diff_min = -tflite::CalculateInputRadius(kIntegerBits, left_shift);
  return kTfLiteOk;
}

}  // namespace

#define MN_DEFINE_WEIGHTED(name, family, options, kernel, prepare)                             \
  const Registration* Register_##name() {                                                      \
    using Operator =                                                                           \
        WeightedOperator<family, options, kernel##_s8, kernel##_s8_get_buffer_size,            \
                         kernel##_s8_w4, kernel##_s8_w4_get_buffer_size>;                      \
    static constexpr Registration registration =                                               \
        MakeRegistration(nullptr, Operator::Prepare<prepare>, Operator::Invoke);               \
    return &registration;                                                                      \
  }
using PrepareFunction = TfLiteStatus (*)(TfLiteContext*, TfLiteNode*);
constexpr PrepareFunction kPrepareConv = PrepareLayer<ConvOptions, TfLiteConvParams>;
constexpr PrepareFunction kPrepareDepthwise =
    PrepareLayer<DepthwiseOptions, TfLiteDepthwiseConvParams>;

MN_DEFINE_WEIGHTED(CONV_2D, Convolution, ConvOptions, mn_convolve, kPrepareConv)
MN_DEFINE_WEIGHTED(DEPTHWISE_CONV_2D, Convolution, DepthwiseOptions, mn_depthwise_conv,
                   kPrepareDepthwise)
MN_DEFINE_WEIGHTED(FULLY_CONNECTED, FullyConnected, FullyConnectedOptions, mn_fully_connected,
                   PrepareDense)
MN_DEFINE_OTHER(ADD, Addition, AddOptions, mn_elementwise_add_s8, PrepareAdd)
MN_DEFINE_OTHER(AVERAGE_POOL_2D, Pooling, PoolOptions, mn_avgpool_s8, PreparePool)
MN_DEFINE_OTHER(MAX_POOL_2D, Pooling, PoolOptions, mn_max_pool_s8, PreparePool)
MN_DEFINE_OTHER(SOFTMAX, Softmax, SoftmaxOptions, mn_softmax_s8, PrepareSoftmax)

}  // namespace mn

#endif
