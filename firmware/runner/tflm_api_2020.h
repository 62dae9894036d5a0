// SPDX-License-Identifier: Apache-2.0
// TFLM of mid-2020: registrations carry versions, errors go through an ErrorReporter, the model has
// one subgraph, and the allocator logs head and tail.
#ifndef RUNNER_TFLM_API_2020_H_
#define RUNNER_TFLM_API_2020_H_

#include <cstring>
#include <new>

#include "runner/arena.h"
#include "runner/log_sink.h"
#include "runner/offline_plan_2020.h"
#include "tensorflow/lite/micro/kernels/micro_ops.h"
#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"
#include "tensorflow/lite/micro/micro_error_reporter.h"
#include "tensorflow/lite/micro/simple_memory_allocator.h"

namespace tflm {

using Registration = TfLiteRegistration;
using Parser = tflite::MicroOpResolver::BuiltinParseFunction;

struct FoundOperator {
  Registration registration;
  Parser parser;
  int32_t highest_version;
};

// A table rather than code: its size is the same for each operator, so that the flash of any set of
// operators is the sum of theirs.
struct LinkedOperator {
  int32_t builtin;
  const char* custom_name;  // null for builtin operators
  Registration* (*registration)();
  int32_t highest_version;
};

#define LINKED_BUILTIN(code, function, version) \
  {tflite::BuiltinOperator_##code, nullptr, tflite::ops::micro::function, version},
#define LINKED_CUSTOM(name, function) \
  {tflite::BuiltinOperator_CUSTOM, name, tflite::ops::micro::function, 1},
// This TFLM hands registrations out as mutable ones; the runner copies them.
#define LINKED_MN(name, function)     \
  {tflite::BuiltinOperator_CUSTOM, name, \
   [] { return const_cast<Registration*>(mn::function()); }, 1},
#define LINKED_DROP_IN(code, function)  // none: see predictor/memory/revisions/2020.07
#define LINKED_END {0, nullptr, nullptr, 0}

inline FoundOperator Found(const LinkedOperator& linked) {
  return {*linked.registration(), tflite::ParseOpData, linked.highest_version};
}

// The resolver's interface; `Lookup` has Registration* ByCode(int32_t), ByName(const char*) and
// Parser ParserFor(int32_t). Versions are checked before, by the runner.
template <class Lookup>
class ResolverInterface : public tflite::MicroOpResolver {
 public:
  explicit ResolverInterface(const Lookup& lookup) : lookup_(lookup) {}
  const TfLiteRegistration* FindOp(tflite::BuiltinOperator op, int) const override {
    return lookup_.ByCode(op);
  }
  const TfLiteRegistration* FindOp(const char* op, int) const override {
    return lookup_.ByName(op);
  }
  BuiltinParseFunction GetOpDataParser(tflite::BuiltinOperator op) const override {
    return lookup_.ParserFor(op);
  }
  TfLiteStatus AddBuiltin(tflite::BuiltinOperator, TfLiteRegistration*, int) override {
    return kTfLiteError;
  }

 private:
  const Lookup& lookup_;

  TF_LITE_REMOVE_VIRTUAL_DELETE
};

struct ArenaUse {
  uint32_t used_bytes;
  uint32_t head_bytes;
  uint32_t tail_bytes;
};

constexpr bool kTakesTwoArenas = false;

// Smaller arenas crash the allocator before it can report.
constexpr size_t kSmallestArenaBytes = sizeof(tflite::SimpleMemoryAllocator) + 16;

class Interpreter {
 public:
  Interpreter(const tflite::Model* model, const tflite::MicroOpResolver& resolver,
              const runner::Arenas& arenas)
      : model_(*model),
        interpreter_(model, resolver, arenas.nonpersistent.start, arenas.nonpersistent.bytes,
                     &reporter_) {}

  TfLiteStatus AllocateTensors() {
    offline_plan::Load(model_);
    return interpreter_.AllocateTensors();
  }
  TfLiteStatus Invoke() {
    next_operator_ = 0;
    return interpreter_.Invoke();
  }
  size_t InputCount() const { return interpreter_.inputs_size(); }
  size_t OutputCount() const { return interpreter_.outputs_size(); }
  TfLiteTensor* Input(size_t index) { return interpreter_.input(index); }
  TfLiteTensor* Output(size_t index) { return interpreter_.output(index); }

  // Head and tail are only told through the log.
  ArenaUse arena_use() const {
    log_sink::StartArenaCapture();
    const uint32_t used_bytes = interpreter_.arena_used_bytes();
    const log_sink::ArenaCapture capture = log_sink::FinishArenaCapture();
    return {used_bytes, capture.head_bytes, capture.tail_bytes};
  }

  // Each operator of the one subgraph runs once, in order.
  static void CurrentOperator(TfLiteContext*, const TfLiteNode*, int32_t* subgraph,
                              int32_t* index) {
    *subgraph = 0;
    *index = next_operator_++;
  }

 private:
  const tflite::Model& model_;
  tflite::MicroErrorReporter reporter_;
  tflite::MicroInterpreter interpreter_;
  static int32_t next_operator_;
};

}  // namespace tflm

#endif  // RUNNER_TFLM_API_2020_H_
