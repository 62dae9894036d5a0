// SPDX-License-Identifier: Apache-2.0
// From options to a kernel's call: the one way in which custom and builtin operators run.
//
// A family's `Run` is a template of the kernel, so that an operator links the kernel of its types and
// no other.
#ifndef MN_OPERATORS_RUN_H_
#define MN_OPERATORS_RUN_H_

#include "mn_nnfunctions.h"
#include "mn_operators/options.h"
#include "mn_operators/tflm_node.h"

namespace mn {

// What an operator with weights has when it runs, besides its options.
struct Workspace {
  mn_context scratch;
  const int32_t* multipliers;
  const int32_t* shifts;
};

template <class LayerSpecificOptions>
inline const int32_t* TablesBehind(const LayerSpecificOptions& options) {
  return reinterpret_cast<const int32_t*>(&options + 1);
}

struct Convolution {
  template <auto kKernel, class Options>
  static mn_status Run(TfLiteContext* context, TfLiteNode* node, const Options& options,
                       const Workspace& space) {
    const mn_per_channel_quant_params quant = {space.multipliers, space.shifts};
    const LayerOptions& layer = options.layer;
    return kKernel(&space.scratch, &options.params, &quant, &layer.input, Input(context, node, 0),
                   &layer.filter, Input(context, node, 1), nullptr, Input(context, node, 2),
                   &layer.output, Output(context, node));
  }
  template <auto kBufferBytes, class Options>
  static int32_t ScratchBytes(const Options& options) {
    const LayerOptions& layer = options.layer;
    return kBufferBytes(&options.params, &layer.input, &layer.filter, &layer.output);
  }
};

struct FullyConnected {
  template <auto kKernel, class Options>
  static mn_status Run(TfLiteContext* context, TfLiteNode* node, const Options& options,
                       const Workspace& space) {
    const LayerOptions& layer = options.layer;
    const mn_quant_params quant = {space.multipliers, space.shifts, layer.table_entries != 1};
    return kKernel(&space.scratch, &options.params, &quant, &layer.input, Input(context, node, 0),
                   &layer.filter, Input(context, node, 1), nullptr, Input(context, node, 2),
                   &layer.output, Output(context, node));
  }
  template <auto kBufferBytes, class Options>
  static int32_t ScratchBytes(const Options& options) {
    return kBufferBytes(&options.layer.input, &options.layer.filter, &options.layer.output);
  }
};

// Requests the scratch buffer of an operator, if it needs one; -1 where that fails.
template <class Family, auto kBufferBytes, class Options>
int RequestScratch(TfLiteContext* context, const Options& options) {
  const int32_t bytes = Family::template ScratchBytes<kBufferBytes>(options);
  int index = -1;
  if (bytes <= 0) return bytes == 0 ? 0 : -1;
  return context->RequestScratchBufferInArena(context, bytes, &index) == kTfLiteOk ? index : -1;
}

template <class Family, auto kKernel, auto kBufferBytes, class Options>
TfLiteStatus RunWeighted(TfLiteContext* context, TfLiteNode* node, const Options& options,
                         const int32_t* multipliers, int scratch) {
  Workspace space;
  space.scratch.size = Family::template ScratchBytes<kBufferBytes>(options);
  space.scratch.buf =
      space.scratch.size > 0 ? context->GetScratchBuffer(context, scratch) : nullptr;
  space.multipliers = multipliers;
  space.shifts = multipliers + options.layer.table_entries;
  const mn_status status = Family::template Run<kKernel>(context, node, options, space);
  return status == MN_SUCCESS ? kTfLiteOk : kTfLiteError;
}

struct Pooling {
  template <auto kKernel>
  static mn_status Run(TfLiteContext* context, TfLiteNode* node, const PoolOptions& options) {
    return kKernel(&options.params, &options.input, Input(context, node, 0), &options.filter,
                   &options.output, Output(context, node));
  }
};

struct Addition {
  template <auto kKernel>
  static mn_status Run(TfLiteContext* context, TfLiteNode* node, const AddOptions& options) {
    return kKernel(&options.params, Input(context, node, 0), Input(context, node, 1),
                   Output(context, node), options.count);
  }
};

struct Softmax {
  template <auto kKernel>
  static mn_status Run(TfLiteContext* context, TfLiteNode* node, const SoftmaxOptions& options) {
    return kKernel(Input(context, node, 0), options.rows, options.row_size, options.multiplier,
                   options.left_shift, options.diff_min, Output(context, node));
  }
};

struct Padding {
  template <auto kKernel>
  static mn_status Run(TfLiteContext* context, TfLiteNode* node, const PadOptions& options) {
    return kKernel(options.value, &options.input, Input(context, node, 0), &options.before,
                   &options.after, Output(context, node));
  }
};

struct Clamp {
  template <auto kKernel>
  static mn_status Run(TfLiteContext* context, TfLiteNode* node, const ClampOptions& options) {
    return kKernel(&options.activation, Input(context, node, 0), Output(context, node),
                   options.count);
  }
};

struct Requantize {
  template <auto kKernel>
  static mn_status Run(TfLiteContext* context, TfLiteNode* node, const RequantizeOptions& options) {
    return kKernel(&options.params, Input(context, node, 0), Output(context, node), options.count);
  }
};

struct Lookup {
  template <auto kKernel>
  static mn_status Run(TfLiteContext* context, TfLiteNode* node, const LookupOptions& options) {
    return kKernel(options.table, Input(context, node, 0), Output(context, node), options.count);
  }
};

struct Mean {
  template <auto kKernel>
  static mn_status Run(TfLiteContext* context, TfLiteNode* node, const MeanOptions& options) {
    return kKernel(&options.params, options.outer, options.reduced, options.inner,
                   Input(context, node, 0), Output(context, node));
  }
};

// Operators of two tensors, with parameters of their own or without.
struct Pair {
  template <auto kKernel, class Options>
  static mn_status Run(TfLiteContext* context, TfLiteNode* node, const Options& options) {
    const PairOptions& pair = options.pair;
    return kKernel(&options.params, &pair.input1, Input(context, node, 0), &pair.input2,
                   Input(context, node, 1), &pair.output, Output(context, node));
  }
};

struct PlainPair {
  template <auto kKernel>
  static mn_status Run(TfLiteContext* context, TfLiteNode* node, const PairOptions& pair) {
    return kKernel(&pair.input1, Input(context, node, 0), &pair.input2, Input(context, node, 1),
                   &pair.output, Output(context, node));
  }
};

}  // namespace mn

#endif  // MN_OPERATORS_RUN_H_
