// SPDX-License-Identifier: Apache-2.0
// Runs the model that the host placed in flash, once for each input blob, and reports arena, counts
// and outputs (PROTOCOL.md).
#include <cstring>
#include <new>

#include "ports/port.h"
#include "runner/arena.h"
#include "runner/layer_sender.h"
#include "runner/log_sink.h"
#include "runner/operator_counter.h"
#include "runner/tflm_api.h"
#include "src/benchmark_protocol.h"
#include "src/blob.h"
#include "src/crc32.h"
#include "src/identity.h"
#include "src/ram_span.h"
#include "src/startup.h"

namespace tflm {
#if !__has_include("tensorflow/lite/micro/micro_log.h")
int32_t Interpreter::next_operator_ = 0;
#endif
}  // namespace tflm

namespace runner {
namespace {

constexpr size_t kArenaAlignment = 16;
constexpr size_t kMaxNameBytes = 64;

void SendHello() {
  message_begin("hello");
  message_text("program", "runner", kMaxNameBytes);
  message_text("firmware", firmware_id, kMaxNameBytes);
  message_text("board", board_name, kMaxNameBytes);
  message_text("core", board_core, kMaxNameBytes);
  message_u32("clock_hz", clocks.core_hz);
  message_text("clock_source", clocks.source, kMaxNameBytes);
  message_text("tflm", TFLM_REVISION, kMaxNameBytes);
  message_text("kernels", TFLM_KERNELS, kMaxNameBytes);
  message_u32("free_ram_bytes", static_cast<uint32_t>(__ram_end - __free_ram_start));
  message_end();
}

const tflite::Model* LoadModel(const BlobHeader* blob) {
  if (blob == nullptr) fail("model_missing", 0);
  const tflite::Model* model = tflite::GetModel(blob_payload(blob));
  constexpr uint32_t kSchemaVersion = 3;
  if (model->version() != kSchemaVersion) fail("schema_version", model->version());
  if (model->subgraphs() == nullptr || model->subgraphs()->size() == 0) fail("no_subgraph", 0);
  if (model->operator_codes() == nullptr) fail("no_operator_codes", 0);
  message_begin("model");
  message_u32("bytes", blob->payload_bytes);
  message_hex("crc", crc32_update(0, blob_payload(blob), blob->payload_bytes));
  message_u32("subgraphs", model->subgraphs()->size());
  message_u32("operators", tflm::OperatorsIn(*model->subgraphs()->Get(0)));
  message_end();
  return model;
}

// A span of RAM: the one that the host names, or at the end of what is left for address 0.
Arena TakeArena(RamSpan* ram, const ArenaPlace& place) {
  if (place.address != 0) {
    uint8_t* start = reinterpret_cast<uint8_t*>(place.address);
    if (start < __ram_end && start + place.bytes > __ram_start) fail("arena_in_ram", place.address);
    return {start, place.bytes};
  }
  const uint32_t left = ram_left_bytes(ram, kArenaAlignment) & ~(kArenaAlignment - 1);
  const uint32_t bytes = place.bytes == 0 ? left : place.bytes;
  if (bytes > left) fail("arena_exceeds_ram", left);
  const uintptr_t start = reinterpret_cast<uintptr_t>(ram->end - bytes) & ~(kArenaAlignment - 1);
  ram->end = reinterpret_cast<uint8_t*>(start);
  return {ram->end, bytes};
}

void RequireArenaBytes(uint32_t bytes) {
  if (bytes >= tflm::kSmallestArenaBytes) return;
  log_sink::FailAllocation(tflm::kSmallestArenaBytes, bytes, tflm::kSmallestArenaBytes - bytes);
}

// One arena of the size that the model's blob asks for (0: all RAM that is left), or those that a
// blob of their own names.
Arenas TakeArenas(RamSpan* ram, const BlobHeader* model, const BlobHeader* named) {
  if (named == nullptr) {
    const Arena arena = TakeArena(ram, {0, model->parameters[0]});
    RequireArenaBytes(arena.bytes);
    return {arena, {nullptr, 0}};
  }
  ArenaPlace places[2] = {};
  if (named->payload_bytes > sizeof(places)) fail("arena_count", named->payload_bytes);
  std::memcpy(places, blob_payload(named), named->payload_bytes);
  const bool is_split = places[1].bytes != 0;
  if (is_split && !tflm::kTakesTwoArenas) fail("two_arenas", 0);
  const Arena first = TakeArena(ram, places[0]);
  const Arena second = is_split ? TakeArena(ram, places[1]) : Arena{nullptr, 0};
  RequireArenaBytes(is_split ? second.bytes : first.bytes);
  return {first, second};
}

void AllocateTensors(tflm::Interpreter* interpreter, const Arenas& arenas) {
  log_sink::ExpectAllocationFailures(true);
  const TfLiteStatus status = interpreter->AllocateTensors();
  log_sink::ExpectAllocationFailures(false);
  if (status != kTfLiteOk) fail("allocate_tensors", status);
  const tflm::ArenaUse use = interpreter->arena_use();
  message_begin("arena");
  message_u32("arena_bytes", arenas.bytes());
  message_u32("used_bytes", use.used_bytes);
  message_u32("head_bytes", use.head_bytes);
  message_u32("tail_bytes", use.tail_bytes);
  message_end();
}

// The deterministic input: xorshift32 from state 1, one step an element, over all inputs.
class InputGenerator {
 public:
  void Fill(TfLiteTensor* tensor) {
    switch (tensor->type) {
      case kTfLiteInt8:
      case kTfLiteUInt8:
        return FillAs<uint8_t>(tensor, [](uint32_t x) { return x & 255; });
      case kTfLiteInt16:
        return FillAs<uint16_t>(tensor, [](uint32_t x) { return x & 65535; });
      case kTfLiteBool:
        return FillAs<uint8_t>(tensor, [](uint32_t x) { return x & 1; });
      case kTfLiteInt32:
        return FillAs<int32_t>(tensor, [](uint32_t x) { return x & 7; });
      case kTfLiteInt64:
        return FillAs<int64_t>(tensor, [](uint32_t x) { return x & 7; });
      case kTfLiteFloat32:
        return FillAs<float>(
            tensor, [](uint32_t x) { return static_cast<int8_t>(x & 255) / 128.0f; });
      default:
        fail("input_type", tensor->type);
    }
  }

 private:
  template <class T, class Convert>
  void FillAs(TfLiteTensor* tensor, Convert convert) {
    T* elements = static_cast<T*>(tensor->data.data);
    for (size_t i = 0; i < tensor->bytes / sizeof(T); ++i) {
      elements[i] = static_cast<T>(convert(Step()));
    }
  }

  uint32_t Step() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }

  uint32_t state_ = 1;
};

void FillInputs(tflm::Interpreter* interpreter, const BlobHeader* blob) {
  InputGenerator generator;
  uint32_t offset = 0;
  for (size_t i = 0; i < interpreter->InputCount(); ++i) {
    TfLiteTensor* tensor = interpreter->Input(i);
    if (tensor == nullptr || tensor->data.data == nullptr) continue;
    if (blob == nullptr) {
      generator.Fill(tensor);
      continue;
    }
    if (offset + tensor->bytes > blob->payload_bytes) fail("input_size", blob->payload_bytes);
    std::memcpy(tensor->data.data, blob_payload(blob) + offset, tensor->bytes);
    offset += tensor->bytes;
  }
  if (blob != nullptr && offset != blob->payload_bytes) fail("input_size", blob->payload_bytes);
}

void SendCounts(const tflite::Model& model, uint32_t run) {
  for (uint32_t i = 0; i < model.subgraphs()->size(); ++i) {
    const tflite::SubGraph& subgraph = *model.subgraphs()->Get(i);
    for (uint32_t k = 0; k < tflm::OperatorsIn(subgraph); ++k) {
      const OperatorCount& count = operator_counter.Count(i, k);
      const uint32_t code_index = subgraph.operators()->Get(k)->opcode_index();
      const tflm::OperatorCode code =
          tflm::ReadOperatorCode(*model.operator_codes()->Get(code_index));
      message_begin("operator");
      message_u32("run", run);
      message_u32("subgraph", i);
      message_u32("index", k);
      message_i32("code", code.builtin);
      message_text("name", tflm::OperatorName(code), kMaxNameBytes);
      message_u32("calls", count.calls);
      message_u32("cyccnt", count.cyccnt);
      message_end();
    }
  }
}

void SendOutputs(tflm::Interpreter* interpreter, uint32_t run) {
  for (size_t i = 0; i < interpreter->OutputCount(); ++i) {
    const TfLiteTensor* tensor = interpreter->Output(i);
    message_begin("output");
    message_u32("run", run);
    message_u32("index", i);
    message_u32("type", tensor->type);
    message_u32("bytes", tensor->bytes);
    message_hex("crc", crc32_update(0, tensor->data.data, tensor->bytes));
    message_end();
    send_data("output", run, i, tensor->data.data, tensor->bytes);
  }
}

void Run(tflm::Interpreter* interpreter, const tflite::Model& model, const BlobHeader* input,
         uint32_t run) {
  FillInputs(interpreter, input);
  operator_counter.ResetCounts();
  marker_write(true);
  const uint32_t started = cycle_counter();
  const TfLiteStatus status = interpreter->Invoke();
  const uint32_t taken = cycle_counter() - started;
  marker_write(false);
  layer_sender.Stop();
  if (status != kTfLiteOk) fail("invoke", status);
  SendCounts(model, run);
  message_begin("invoke");
  message_u32("run", run);
  message_u32("cyccnt", taken);
  message_u32("hook_cyccnt", operator_counter.hook_cyccnt());
  message_end();
  SendOutputs(interpreter, run);
}

}  // namespace

void Main() {
  SendHello();
  BlobReader blobs = blob_reader();
  const BlobHeader* model_blob = blob_next(&blobs, BLOB_MODEL);
  const tflite::Model* model = LoadModel(model_blob);
  RamSpan ram = ram_span();
  operator_counter.Prepare(*model, &ram);
  void* place = ram_take(&ram, sizeof(tflm::Interpreter), alignof(tflm::Interpreter));
  if (place == nullptr) fail("ram_full", sizeof(tflm::Interpreter));
  const Arenas arenas = TakeArenas(&ram, model_blob, blob_next(&blobs, BLOB_ARENAS));
  static tflm::ResolverInterface<OperatorCounter> resolver(operator_counter);
  log_sink::ExpectAllocationFailures(true);
  auto* interpreter = new (place) tflm::Interpreter(model, resolver, arenas);
  AllocateTensors(interpreter, arenas);
  runner_running = kApplicationRuns;
  layer_sender.Prepare(blob_next(&blobs, BLOB_LAYERS), arenas.nonpersistent);

  const BlobHeader* input = blob_next(&blobs, BLOB_INPUT);
  const uint32_t repeats = model_blob->parameters[1] == 0 ? 1 : model_blob->parameters[1];
  uint32_t run = 0;
  do {
    for (uint32_t i = 0; i < repeats; ++i) Run(interpreter, *model, input, run++);
  } while (input != nullptr && (input = blob_next(&blobs, BLOB_INPUT)) != nullptr);
}

}  // namespace runner

int main() {
  runner::Main();
  return 0;
}
