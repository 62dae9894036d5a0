// SPDX-License-Identifier: Apache-2.0
// Current TFLM (2023 and later): registrations without versions, MicroPrintf, several subgraphs, an
// allocator that tells head and tail.
#ifndef RUNNER_TFLM_API_CURRENT_H_
#define RUNNER_TFLM_API_CURRENT_H_

#include <cstring>
#include <new>

#include "runner/arena.h"
#if __has_include("tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.h")
#include "tensorflow/lite/micro/arena_allocator/non_persistent_arena_buffer_allocator.h"
#include "tensorflow/lite/micro/arena_allocator/persistent_arena_buffer_allocator.h"
#include "tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.h"
#else
#include "tensorflow/lite/micro/non_persistent_arena_buffer_allocator.h"
#include "tensorflow/lite/micro/persistent_arena_buffer_allocator.h"
#include "tensorflow/lite/micro/single_arena_buffer_allocator.h"
#endif
#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"
#include "tensorflow/lite/micro/micro_context.h"
#if __has_include("tensorflow/lite/micro/micro_interpreter_graph.h")
#include "tensorflow/lite/micro/micro_interpreter_graph.h"
#define TFLM_HAS_INTERPRETER_GRAPH
#else
#include "tensorflow/lite/micro/micro_graph.h"
#endif
#include "tensorflow/lite/micro/micro_resource_variable.h"

namespace tflm {

#ifdef TFLM_HAS_INTERPRETER_GRAPH
using Graph = tflite::MicroInterpreterGraph;
using Registration = TFLMRegistration;
#else
using Graph = tflite::MicroGraph;
using Registration = TfLiteRegistration;
#endif
using Parser = tflite::TfLiteBridgeBuiltinParseFunction;

struct FoundOperator {
  Registration registration;
  Parser parser;
  int32_t highest_version;
};

// TFLM's own resolver adds the operator, so that the parse function is the one that belongs to it.
using OneOperator = tflite::MicroMutableOpResolver<1>;

struct LinkedOperator {
  int32_t builtin;
  const char* custom_name;  // null for builtin operators
  void (*registration)(OneOperator* resolver);
};

#define LINKED_BUILTIN(name, function, version) \
  {tflite::BuiltinOperator_##name, nullptr, [](OneOperator* one) { one->function(); }},
#define LINKED_CUSTOM(name, function) \
  {tflite::BuiltinOperator_CUSTOM, name, [](OneOperator* one) { one->function(); }},
#define LINKED_MN(name, function)     \
  {tflite::BuiltinOperator_CUSTOM, name, \
   [](OneOperator* one) { one->AddCustom(name, mn::function()); }},
#define LINKED_DROP_IN(name, method)    \
  {tflite::BuiltinOperator_##name, nullptr, \
   [](OneOperator* one) { one->method(*mn::Register_##name()); }},
#define LINKED_END {0, nullptr, nullptr}

inline FoundOperator Found(const LinkedOperator& linked) {
  constexpr int32_t kAnyVersion = 0x7FFFFFFF;
  const auto code = static_cast<tflite::BuiltinOperator>(linked.builtin);
  OneOperator one;
  linked.registration(&one);
  if (linked.custom_name != nullptr) return {*one.FindOp(linked.custom_name), nullptr, kAnyVersion};
  return {*one.FindOp(code), one.GetOpDataParser(code), kAnyVersion};
}

// The resolver's interface; `Lookup` has Registration* ByCode(int32_t), ByName(const char*) and
// Parser ParserFor(int32_t).
template <class Lookup>
class ResolverInterface : public tflite::MicroOpResolver {
 public:
  explicit ResolverInterface(const Lookup& lookup) : lookup_(lookup) {}
  const Registration* FindOp(tflite::BuiltinOperator op) const override {
    return lookup_.ByCode(op);
  }
  const Registration* FindOp(const char* op) const override { return lookup_.ByName(op); }
  tflite::TfLiteBridgeBuiltinParseFunction GetOpDataParser(tflite::BuiltinOperator op) const override {
    return lookup_.ParserFor(op);
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

constexpr bool kTakesTwoArenas = true;

// Smaller arenas crash the allocators before they can report.
constexpr size_t kSmallestArenaBytes =
    sizeof(tflite::SingleArenaBufferAllocator) + sizeof(tflite::GreedyMemoryPlanner) +
    sizeof(tflite::MicroAllocator) + 16;
static_assert(sizeof(tflite::PersistentArenaBufferAllocator) +
                      sizeof(tflite::NonPersistentArenaBufferAllocator) <=
                  sizeof(tflite::SingleArenaBufferAllocator) + 16,
              "a persistent arena of kSmallestArenaBytes holds the allocators");

class Interpreter {
 public:
  // One arena: takes the same allocations in the same order as MicroInterpreter's constructor with
  // an arena; made here to keep the allocator, which tells head and tail.
  Interpreter(const tflite::Model* model, const tflite::MicroOpResolver& resolver,
              const runner::Arenas& arenas)
      : persistent_(nullptr),
        allocator_(MakeAllocator(arenas, &persistent_)),
        interpreter_(model, resolver, allocator_, MakeResourceVariables(model, allocator_)) {}

  TfLiteStatus AllocateTensors() { return Allocate(&interpreter_, 0); }
  TfLiteStatus Invoke() { return interpreter_.Invoke(); }
  size_t InputCount() const { return interpreter_.inputs_size(); }
  size_t OutputCount() const { return interpreter_.outputs_size(); }
  TfLiteTensor* Input(size_t index) { return interpreter_.input(index); }
  TfLiteTensor* Output(size_t index) { return interpreter_.output(index); }

  ArenaUse arena_use() const {
    const uint32_t used_bytes = interpreter_.arena_used_bytes();
    const uint32_t tail_bytes = persistent_->GetPersistentUsedBytes();
    return {used_bytes, used_bytes - tail_bytes, tail_bytes};
  }

  static void CurrentOperator(TfLiteContext* context, const TfLiteNode* node, int32_t* subgraph,
                              int32_t* index) {
    auto& graph = static_cast<Graph&>(tflite::GetMicroContext(context)->graph());
    *subgraph = graph.GetCurrentSubgraphIndex();
    *index = OperatorIndex(&graph, node, 0);
  }

 private:
  // Later graphs know which operator runs. The first is taken where both would do.
  template <class Any>
  static auto OperatorIndex(Any* graph, const TfLiteNode*, int)
      -> decltype(graph->GetCurrentOperatorIndex()) {
    return graph->GetCurrentOperatorIndex();
  }
  template <class Any>
  static int32_t OperatorIndex(Any* graph, const TfLiteNode* node, long) {
    // The node stands first in its entry of the subgraph's operators.
    const auto* entry = reinterpret_cast<const tflite::NodeAndRegistration*>(node);
    const int subgraph = graph->GetCurrentSubgraphIndex();
    return entry - graph->GetAllocations()[subgraph].node_and_registrations;
  }

  // Some makers' TFLM wants to know whether to prepare all operators. The first is taken where both
  // would do.
  template <class Any>
  static auto Allocate(Any* any, int) -> decltype(any->AllocateTensors()) {
    return any->AllocateTensors();
  }
  template <class Any>
  static auto Allocate(Any* any, long) -> decltype(any->AllocateTensors(true)) {
    return any->AllocateTensors(true);
  }

  static tflite::MicroAllocator* MakeAllocator(
      const runner::Arenas& arenas, const tflite::IPersistentBufferAllocator** persistent) {
    const runner::Arena& first = arenas.nonpersistent;
    const runner::Arena& second = arenas.persistent;
    if (second.bytes == 0) {
      auto* memory = tflite::SingleArenaBufferAllocator::Create(first.start, first.bytes);
      *persistent = memory;
      return tflite::MicroAllocator::Create(memory, MakePlanner(memory));
    }
    auto* allocator = tflite::MicroAllocator::Create(second.start, second.bytes, first.start,
                                                     first.bytes);
    // Its allocator is what a persistent arena holds first, which is at its end.
    using Allocator = tflite::PersistentArenaBufferAllocator;
    const uintptr_t end = reinterpret_cast<uintptr_t>(second.start + second.bytes);
    const uintptr_t place = (end - sizeof(Allocator)) & ~(alignof(Allocator) - 1);
    *persistent = reinterpret_cast<const Allocator*>(place);
    return allocator;
  }

  static tflite::MicroMemoryPlanner* MakePlanner(tflite::SingleArenaBufferAllocator* memory) {
    void* place = memory->AllocatePersistentBuffer(sizeof(tflite::GreedyMemoryPlanner),
                                                   alignof(tflite::GreedyMemoryPlanner));
    return new (place) tflite::GreedyMemoryPlanner();
  }

  // Whether two variables are the same to TFLM: a null container stands for any.
  static bool IsSameVariable(const tflite::VarHandleOptions* one,
                             const tflite::VarHandleOptions* other) {
    const auto same = [](const flatbuffers::String* a, const flatbuffers::String* b) {
      return std::strcmp(a == nullptr ? "" : a->c_str(), b == nullptr ? "" : b->c_str()) == 0;
    };
    if (one == nullptr || other == nullptr) return one == other;
    return same(one->shared_name(), other->shared_name()) &&
           (one->container() == nullptr || same(one->container(), other->container()));
  }

  static int CountResourceVariables(const tflite::Model* model) {
    constexpr int kMostCompared = 256;
    static const tflite::VarHandleOptions* known[kMostCompared];
    int count = 0;
    for (const tflite::SubGraph* subgraph : *model->subgraphs()) {
      if (subgraph->operators() == nullptr) continue;
      for (const tflite::Operator* op : *subgraph->operators()) {
        const auto* code = model->operator_codes()->Get(op->opcode_index());
        if (code->builtin_code() != tflite::BuiltinOperator_VAR_HANDLE) continue;
        const auto* options = op->builtin_options_as_VarHandleOptions();
        bool is_new = true;
        for (int i = 0; i < count && i < kMostCompared; ++i) {
          is_new = is_new && !IsSameVariable(options, known[i]);
        }
        if (is_new && count < kMostCompared) known[count] = options;
        count += is_new;
      }
    }
    return count;
  }

  // Models with resource variables need a table of them in the arena; the predictor assumes that
  // it has an entry for each variable of the model, and no more.
  static tflite::MicroResourceVariables* MakeResourceVariables(const tflite::Model* model,
                                                               tflite::MicroAllocator* allocator) {
    bool needed = false;
    for (const tflite::OperatorCode* code : *model->operator_codes()) {
      const tflite::BuiltinOperator builtin = code->builtin_code();
      needed |= builtin == tflite::BuiltinOperator_VAR_HANDLE ||
                builtin == tflite::BuiltinOperator_READ_VARIABLE ||
                builtin == tflite::BuiltinOperator_ASSIGN_VARIABLE;
    }
    return needed ? tflite::MicroResourceVariables::Create(allocator, CountResourceVariables(model))
                  : nullptr;
  }

  const tflite::IPersistentBufferAllocator* persistent_;
  tflite::MicroAllocator* allocator_;
  tflite::MicroInterpreter interpreter_;
};

}  // namespace tflm

#endif  // RUNNER_TFLM_API_CURRENT_H_
