// SPDX-License-Identifier: Apache-2.0
// An op resolver that holds the operators of one model and puts a counting hook in front of each
// operator's invoke function. Its tables lie in RAM that the caller hands over, sized by the model.
#ifndef RUNNER_OPERATOR_COUNTER_H_
#define RUNNER_OPERATOR_COUNTER_H_

#include "runner/tflm_api.h"
#include "src/ram_span.h"

namespace runner {

using InvokeFunction = TfLiteStatus (*)(TfLiteContext*, TfLiteNode*);

// Kinds of operators a model may hold: more than any revision registers.
constexpr int kMaxKinds = 160;

// What runs, for emulators that watch this word: kNothingRuns until tensors are allocated, then
// kApplicationRuns or, within an operator, (subgraph + 1) << 16 | index.
constexpr uint32_t kNothingRuns = 0, kApplicationRuns = 1;
extern "C" volatile uint32_t runner_running;

struct OperatorKind {
  tflm::OperatorCode code;
  tflm::Registration hooked;
  InvokeFunction original;
  tflm::Parser parser;
};

struct OperatorCount {
  uint32_t calls;
  uint32_t cyccnt;  // summed over the calls; of control flow with what it runs, without hooks
};

class OperatorCounter {
 public:
  // Finds the model's operators. One that is not linked ends the program with a message; a higher
  // version than the kernel knows is reported and used.
  void Prepare(const tflite::Model& model, RamSpan* ram);

  void ResetCounts();
  const OperatorCount& Count(int32_t subgraph, int32_t index) const;

  // What the hooks themselves took since ResetCounts.
  uint32_t hook_cyccnt() const { return hook_cyccnt_; }

  const tflm::Registration* ByCode(int32_t builtin) const;
  const tflm::Registration* ByName(const char* name) const;
  tflm::Parser ParserFor(int32_t builtin) const;

  TfLiteStatus Invoke(int kind, TfLiteContext* context, TfLiteNode* node);

 private:
  void AddKind(const tflite::OperatorCode& table);
  void MeasureHookEdges();

  OperatorKind* kinds_ = nullptr;
  int kind_count_ = 0;
  OperatorCount* counts_ = nullptr;
  int32_t count_total_ = 0;
  int32_t* first_count_ = nullptr;  // of each subgraph
  uint32_t hook_cyccnt_ = 0;
  // A hook cannot time its own entry and return; each call takes this much there.
  uint32_t hook_edges_cyccnt_ = 0;
};

// The one counter: the hooks are plain functions and have no other way to find it.
extern OperatorCounter operator_counter;

}  // namespace runner

#endif  // RUNNER_OPERATOR_COUNTER_H_
