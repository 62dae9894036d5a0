// SPDX-License-Identifier: Apache-2.0
#if !__has_include("tensorflow/lite/micro/micro_log.h")
#include "runner/offline_plan_2020.h"

#include <cstring>

#include "src/benchmark_protocol.h"

namespace offline_plan {
namespace {

constexpr char kName[] = "OfflineMemoryAllocation";
// uint32: version, subgraph (unused), number of offsets; then int32 offsets.
constexpr uint32_t kHeaderWords = 3, kCountWord = 2;

const tflite::Model* model;
const flatbuffers::Vector<uint8_t>* plan;  // null without one
uint32_t next_tensor;

const tflite::SubGraph& MainGraph() { return *model->subgraphs()->Get(0); }

uint32_t Word(uint32_t index) {
  uint32_t word;
  std::memcpy(&word, plan->data() + index * sizeof(word), sizeof(word));
  return word;
}

const flatbuffers::Vector<uint8_t>* FindPlan() {
  if (model->metadata() == nullptr) return nullptr;
  for (const tflite::Metadata* entry : *model->metadata()) {
    if (entry->name() == nullptr || std::strcmp(entry->name()->c_str(), kName) != 0) continue;
    return model->buffers()->Get(entry->buffer())->data();
  }
  return nullptr;
}

bool Holds(const flatbuffers::Vector<int32_t>* list, int32_t tensor) {
  for (uint32_t i = 0; list != nullptr && i < list->size(); ++i) {
    if (list->Get(i) == tensor) return true;
  }
  return false;
}

// What TFLM adds to its planner: neither constants nor variables, nor what nothing writes.
bool IsPlanned(int32_t index) {
  const tflite::Tensor& tensor = *MainGraph().tensors()->Get(index);
  const auto* constant = model->buffers()->Get(tensor.buffer())->data();
  if (tensor.is_variable() || (constant != nullptr && constant->size() != 0)) return false;
  if (Holds(MainGraph().inputs(), index)) return true;
  for (const tflite::Operator* op : *MainGraph().operators()) {
    if (Holds(op->outputs(), index)) return true;
  }
  return false;
}

}  // namespace

void Load(const tflite::Model& loaded) {
  model = &loaded;
  next_tensor = 0;
  plan = FindPlan();
  if (plan == nullptr) return;
  const uint32_t words = plan->size() / sizeof(uint32_t);
  const uint32_t offsets = words < kHeaderWords ? 0 : Word(kCountWord);
  if (offsets != MainGraph().tensors()->size() || words - kHeaderWords < offsets) {
    fail("offline_plan", offsets);
  }
}

int NextOffset() {
  if (plan == nullptr) return kOnlinePlanned;
  const uint32_t tensors = MainGraph().tensors()->size();
  while (next_tensor < tensors && !IsPlanned(static_cast<int32_t>(next_tensor))) ++next_tensor;
  if (next_tensor == tensors) return kOnlinePlanned;
  return static_cast<int32_t>(Word(kHeaderWords + next_tensor++));
}

}  // namespace offline_plan
#endif
