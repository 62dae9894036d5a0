// SPDX-License-Identifier: Apache-2.0
#include "runner/operator_counter.h"

#include <cstring>
#include <new>
#include <utility>

#include "ports/port.h"
#include "runner/layer_sender.h"
#include "src/benchmark_protocol.h"

volatile uint32_t runner_running = runner::kNothingRuns;

namespace runner {

OperatorCounter operator_counter;

namespace {

// A hook has no argument that tells the kind of operator, so there is one hook for each kind.
template <int kind>
TfLiteStatus Hook(TfLiteContext* context, TfLiteNode* node) {
  return operator_counter.Invoke(kind, context, node);
}

template <int... kinds>
struct HookTable {
  static constexpr InvokeFunction kHooks[] = {Hook<kinds>...};
};
template <int... kinds>
constexpr InvokeFunction HookTable<kinds...>::kHooks[];

template <int... kinds>
constexpr const InvokeFunction* MakeHooks(std::integer_sequence<int, kinds...>) {
  return HookTable<kinds...>::kHooks;
}
constexpr const InvokeFunction* kHooks = MakeHooks(std::make_integer_sequence<int, kMaxKinds>());

template <class T>
T* TakeArray(RamSpan* ram, size_t count) {
  T* array = static_cast<T*>(ram_take(ram, count * sizeof(T), alignof(T)));
  if (array == nullptr) fail("ram_full", count * sizeof(T));
  return new (array) T[count]();
}

TfLiteStatus DoNothing(TfLiteContext*, TfLiteNode*) { return kTfLiteOk; }

// Models may list codes that no operator has; TFLM does not look those up.
bool IsUsed(const tflite::Model& model, uint32_t code_index) {
  for (const tflite::SubGraph* subgraph : *model.subgraphs()) {
    for (uint32_t i = 0; i < tflm::OperatorsIn(*subgraph); ++i) {
      if (subgraph->operators()->Get(i)->opcode_index() == code_index) return true;
    }
  }
  return false;
}

void SendOperatorCode(const char* type, const tflm::OperatorCode& code, int32_t highest_version) {
  message_begin(type);
  message_i32("code", code.builtin);
  message_text("name", tflm::OperatorName(code), 64);
  message_u32("custom", code.custom_name != nullptr);
  message_i32("version", code.version);
  message_i32("highest_version", highest_version);
  message_end();
}

}  // namespace

void OperatorCounter::Prepare(const tflite::Model& model, RamSpan* ram) {
  const size_t kinds = model.operator_codes()->size();
  // One more, for the operator that measures the hooks.
  if (kinds + 1 > kMaxKinds) fail("operator_kinds", kinds);
  kinds_ = TakeArray<OperatorKind>(ram, kinds + 1);
  for (size_t i = 0; i < kinds; ++i) {
    if (IsUsed(model, i)) AddKind(*model.operator_codes()->Get(i));
  }
  first_count_ = TakeArray<int32_t>(ram, model.subgraphs()->size());
  for (size_t i = 0; i < model.subgraphs()->size(); ++i) {
    first_count_[i] = count_total_;
    count_total_ += static_cast<int32_t>(tflm::OperatorsIn(*model.subgraphs()->Get(i)));
  }
  counts_ = TakeArray<OperatorCount>(ram, count_total_);
  MeasureHookEdges();
}

// Calls an operator that does nothing through its hook and directly; the difference that the hook
// did not time itself is its edges.
void OperatorCounter::MeasureHookEdges() {
  kinds_[kind_count_].original = DoNothing;
  const volatile InvokeFunction hook = kHooks[kind_count_];
  const volatile InvokeFunction direct = DoNothing;
  for (int warm = 0; warm < 2; ++warm) {  // the first round fills the caches
    hook_cyccnt_ = hook_edges_cyccnt_ = 0;
    const uint32_t started = cycle_counter();
    hook(nullptr, nullptr);
    const uint32_t hooked = cycle_counter();
    direct(nullptr, nullptr);
    hook_edges_cyccnt_ = hooked - started - hook_cyccnt_ - (cycle_counter() - hooked);
  }
}

void OperatorCounter::AddKind(const tflite::OperatorCode& table) {
  const tflm::OperatorCode code = tflm::ReadOperatorCode(table);
  tflm::FoundOperator found;
  if (!tflm::FindOperator(code, &found)) {
    SendOperatorCode("unsupported_operator", code, 0);
    finish("failed");
  }
  if (code.version > found.highest_version) {
    SendOperatorCode("newer_operator", code, found.highest_version);
  }
  OperatorKind& kind = kinds_[kind_count_];
  kind = {code, found.registration, found.registration.invoke, found.parser};
  if (kind.original != nullptr) kind.hooked.invoke = kHooks[kind_count_];
  ++kind_count_;
}

void OperatorCounter::ResetCounts() {
  std::memset(counts_, 0, sizeof(OperatorCount) * count_total_);
  hook_cyccnt_ = 0;
}

const OperatorCount& OperatorCounter::Count(int32_t subgraph, int32_t index) const {
  return counts_[first_count_[subgraph] + index];
}

const tflm::Registration* OperatorCounter::ByCode(int32_t builtin) const {
  for (int i = 0; i < kind_count_; ++i) {
    const OperatorKind& kind = kinds_[i];
    if (kind.code.custom_name == nullptr && kind.code.builtin == builtin) return &kind.hooked;
  }
  return nullptr;
}

const tflm::Registration* OperatorCounter::ByName(const char* name) const {
  for (int i = 0; i < kind_count_; ++i) {
    const OperatorKind& kind = kinds_[i];
    if (kind.code.custom_name != nullptr && std::strcmp(kind.code.custom_name, name) == 0) {
      return &kind.hooked;
    }
  }
  return nullptr;
}

tflm::Parser OperatorCounter::ParserFor(int32_t builtin) const {
  for (int i = 0; i < kind_count_; ++i) {
    if (kinds_[i].code.builtin == builtin) return kinds_[i].parser;
  }
  return nullptr;
}

TfLiteStatus OperatorCounter::Invoke(int kind, TfLiteContext* context, TfLiteNode* node) {
  const uint32_t entered = cycle_counter();
  const InvokeFunction original = kinds_[kind].original;
  const uint32_t earlier_hooks = hook_cyccnt_;
  const uint32_t caller = runner_running;
  OperatorCount ignored = {};  // that of DoNothing
  OperatorCount* count = &ignored;
  int32_t subgraph = -1, index = 0;
  if (context != nullptr) {
    tflm::Interpreter::CurrentOperator(context, node, &subgraph, &index);
    count = &counts_[first_count_[subgraph] + index];
    runner_running = static_cast<uint32_t>((subgraph + 1) << 16 | index);
  }
  const uint32_t started = cycle_counter();
  const TfLiteStatus status = original(context, node);
  const uint32_t taken = cycle_counter() - started;
  runner_running = caller;
  layer_sender.SendAfter(subgraph, index);
  count->calls += 1;
  // A control flow operator's time holds the hooks of the operators that it ran.
  count->cyccnt += taken - (hook_cyccnt_ - earlier_hooks);
  hook_cyccnt_ += cycle_counter() - entered - taken + hook_edges_cyccnt_;
  return status;
}

}  // namespace runner
